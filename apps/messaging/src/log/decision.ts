import type { LogEvent } from '@parley/contracts';
import type { MessageState } from '../conversation/conversation.state';
import type { MembershipChange, MentionChange } from './log.store';

/** What rules may look at beside the conversation: the clock, ids to give, and the messages that a command names. */
export interface DecisionContext {
  now: string;
  newId(): string;
  /** Hash of the request of a command that can be repeated by an id. */
  requestHash: string;
  messages: { get(id: string): MessageState | undefined };
}

/**
 * What a command comes to: at most one row, and the answer that may leave once that row, and everything decided before
 * it, is committed. The rule has already changed the state in memory.
 */
export interface Decision {
  event?: Omit<LogEvent, 'position'>;
  /** The message after the change, for those that change one. */
  message?: MessageState;
  memberships: MembershipChange[];
  mentions: string[];
  mentionChange?: MentionChange;
  reply: object;
}

/** The wanted state is there already: answered, and no counter moves. */
export function noChange(reply: object): Decision {
  return { memberships: [], mentions: [], reply };
}
