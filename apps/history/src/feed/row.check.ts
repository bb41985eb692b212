import { id, logEvent, partitionOf } from '@parley/contracts';
import type { ParkedEvent } from '../view/view.store';

const reasonCharsMax = 500;

/** Why the view cannot take a row, in words without its content; undefined for a sound one. */
export function checkRow(partition: number, row: unknown): string | undefined {
  const result = logEvent.safeParse(row);
  if (!result.success) {
    return result.error.issues
      .map((issue) => `${issue.path.join('.') || 'event'}: ${issue.message}`)
      .join('; ');
  }
  const event = result.data;
  const { conversationId } = event;
  if (partitionOf(conversationId) !== partition) return 'conversationId: is of another partition';
  if ('message' in event) {
    if (event.message.conversationId !== conversationId) return 'message.conversationId: is another';
    if (event.message.version !== event.version) return 'message.version: is another than the event’s';
  }
  if ('conversation' in event && event.conversation.id !== conversationId)
    return 'conversation.id: is another';
  return undefined;
}

/** @param row as it came, sound or not; its position is what put it into order, so that is always there */
export function parkedOf(partition: number, row: unknown, reason: string): ParkedEvent {
  const { position, conversationId } = row as { position: number; conversationId: unknown };
  const named = id.safeParse(conversationId);
  return {
    partition,
    position,
    conversationId: named.success ? named.data : null,
    // Control characters and halves of surrogates, which a broken event may bring into the words, are kept by no store.
    reason: reason
      .replace(/[\u0000-\u001f\u007f]/g, ' ')
      .toWellFormed()
      .slice(0, reasonCharsMax),
    event: row,
  };
}
