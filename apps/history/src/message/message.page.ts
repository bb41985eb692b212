import type { Message, MessagePage } from '@parley/contracts';
import type { MessageSelection } from '../view/view.store';

/** Which page of a conversation's messages: at most one of the four, the newest page without any. */
export interface PageAsk {
  before?: number;
  after?: number;
  around?: number;
}

type Range = Pick<MessageSelection, 'above' | 'below' | 'newest' | 'limit'>;

/** What to read for a page: nothing beyond the head, where messages may be written one by one, later ones before earlier ones. */
export function rangeOf({ before, after, around }: PageAsk, limit: number, messageCount: number): Range {
  const end = messageCount + 1;
  if (before !== undefined) return { below: Math.min(before, end), newest: true, limit };
  if (after !== undefined) return { above: after, below: end, newest: false, limit };
  if (around === undefined) return { below: end, newest: true, limit };
  // Half of the page lies before the middle; near an end the other half takes what is left over.
  const middle = Math.min(Math.max(around, 1), Math.max(messageCount, 1));
  const lowest = Math.max(1, Math.min(middle - Math.floor(limit / 2), messageCount - limit + 1));
  return { above: lowest - 1, below: end, newest: false, limit };
}

/** Numbers are dense from 1 to `messageCount`, so the ends of a page tell what lies beyond. */
export function pageOf(ask: PageAsk, items: Message[], messageCount: number): MessagePage {
  const first = items[0];
  const last = items[items.length - 1];
  if (first && last) return { items, hasBefore: first.number > 1, hasAfter: last.number < messageCount };
  if (messageCount === 0) return { items, hasBefore: false, hasAfter: false };
  // Empty: the ask points beyond one of the ends.
  return { items, hasBefore: ask.after !== undefined, hasAfter: ask.before !== undefined };
}
