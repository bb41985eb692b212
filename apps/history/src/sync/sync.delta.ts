import type { ConversationDelta, Member, Message } from '@parley/contracts';
import type { Entity, Standing } from '../view/view.store';

/** A client further behind than this starts afresh: a page of the newest state is cheaper for both. */
export const versionsBehindMax = 5000;

/** The view is behind what the client or messaging knows; its events are under way. */
export const catchUpMs = 200;
/** Messaging could not be asked. */
export const unconfirmedMs = 1000;
/** A parked event waits for an operator. */
export const parkedMs = 5000;

/** Where a client stands in a conversation. */
export interface Stand {
  version: number;
  /** It stands in another epoch, or in none: its state means nothing here, so it starts from version 0. */
  isForeign: boolean;
}

/** Nothing to apply: the client stays where it is. */
export function unchanged(id: string, version: number, head: number): ConversationDelta {
  return { id, version, head, more: false, reset: false, messages: [], members: [], membersRemoved: [] };
}

/** Nothing to apply yet: the client stays where it is and asks again. */
export function later(id: string, from: Stand, head: number, retryAfterMs?: number): ConversationDelta {
  const delta = { ...unchanged(id, from.version, head), more: true, reset: from.isForeign };
  return retryAfterMs === undefined ? delta : { ...delta, retryAfterMs };
}

/**
 * The entities above the client's version as one page.
 *
 * @param entities in rising version, never cut between two of one version
 * @param isComplete whether there is none above the last
 */
export function deltaOf(standing: Standing, entities: Entity[], isComplete: boolean): ConversationDelta {
  const { conversationId, head } = standing;
  const last = entities[entities.length - 1];
  // The head was read before the entities: those above it may have come one by one, so the client stands at the head.
  const version = isComplete || !last ? head : Math.min(last.version, head);
  const delta = unchanged(conversationId, version, head);
  delta.more = version < head;
  for (const entity of entities) {
    if (entity.kind === 'message') delta.messages.push(entity.message);
    else if (entity.kind === 'conversation') delta.conversation = entity.conversation;
    else if (entity.removed) delta.membersRemoved.push(entity.member.userId);
    else delta.members.push(entity.member);
  }
  return delta;
}

/** The newest state, for a client that drops what it had. */
export function resetOf(standing: Standing, messages: Message[], members: Member[]): ConversationDelta {
  const { conversationId, head, conversation } = standing;
  const delta = { ...unchanged(conversationId, head, head), reset: true, messages, members };
  return conversation ? { ...delta, conversation } : delta;
}
