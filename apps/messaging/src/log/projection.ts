import type { ConversationHead } from '../conversation/conversation.state';
import type { LogRow } from './log.store';

type HeadChange = Pick<LogRow, 'messageId' | 'version' | 'number' | 'at'> & {
  /** Needed on rows that are not about a message alone. */
  conversation?: ConversationHead;
};

/**
 * The conversation after a row. Rows about messages move its counters and nothing else, so a log that is projected after
 * the append need not repeat the whole conversation in every one of them.
 */
export function headAfter(before: ConversationHead | undefined, row: HeadChange): ConversationHead {
  if (isWhole(row)) {
    if (!row.conversation) throw new Error('a row about a conversation holds none');
    return row.conversation;
  }
  if (!before || row.version === null) throw new Error('a row about a message has no conversation before it');
  const after = { ...before, version: row.version };
  if (row.number === null) return after;
  return { ...after, messageCount: row.number, lastActivityAt: row.at, lastMessageId: row.messageId };
}

/** Whether a row must hold the conversation as it is after it. */
export function isWhole({ messageId }: Pick<LogRow, 'messageId'>): boolean {
  return messageId === null;
}
