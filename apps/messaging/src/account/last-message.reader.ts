import type { LogEvent, Message } from '@parley/contracts';
import type { LogReader } from '../log/log.store';
import type { MyConversationRow } from './my-conversation';

/** The last messages of conversations at their latest state, by conversation; those without any are missing. */
export async function lastMessages(
  log: LogReader,
  rows: Pick<MyConversationRow, 'id' | 'partition' | 'last_message_id' | 'last_message_position'>[],
): Promise<Map<string, Message>> {
  const wanted = rows.flatMap((row) =>
    row.last_message_id === null ? [] : { conversationId: row.id, messageId: row.last_message_id },
  );
  const places = rows.flatMap(({ partition, last_message_position: position }) =>
    position === null ? [] : { partition, position: Number(position) },
  );
  const stored = places.length > 0 ? await log.readAt(places) : [];
  const found = new Map<string, Message>();
  for (const { event } of stored) {
    const { conversationId, message } = JSON.parse(event) as Extract<LogEvent, { message: unknown }>;
    found.set(conversationId, message);
  }
  // The place is unknown, or of an earlier one, where a version that did not keep it wrote last.
  const others = wanted.filter(
    ({ conversationId, messageId }) => found.get(conversationId)?.id !== messageId,
  );
  if (others.length === 0) return found;
  const states = await log.messages(others);
  for (const { conversationId, messageId } of others) {
    const state = states.get(messageId);
    if (state) found.set(conversationId, state.message);
    else found.delete(conversationId);
  }
  return found;
}
