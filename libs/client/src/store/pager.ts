import { limits, ParleyError, type Message, type MessagePage } from '@parley/contracts';
import type { Store } from './store';

/** `before` is a number; `atLeast` a version that the page must reflect. */
type Read = (
  conversationId: string,
  query: { before?: number; limit: number; atLeast: number },
) => Promise<MessagePage>;

export interface OlderMessages {
  /** What was loaded, in rising number. */
  messages: Message[];
  /** Whether there are older ones still. */
  more: boolean;
}

/** Loads what lies before the messages that a store holds, one page at a time for each conversation. */
export class Pager {
  private readonly loading = new Map<string, Promise<OlderMessages>>();

  constructor(
    private readonly store: Store,
    private readonly read: Read,
  ) {}

  /** The page right before the oldest held message. Calls that come while one is under way share it. */
  loadBefore(conversationId: string, limit: number = limits.pageLimitDefault): Promise<OlderMessages> {
    const known = this.loading.get(conversationId);
    if (known) return known;
    const loading = this.load(conversationId, limit).finally(() => this.loading.delete(conversationId));
    this.loading.set(conversationId, loading);
    return loading;
  }

  private async load(conversationId: string, limit: number): Promise<OlderMessages> {
    const state = this.store.state(conversationId);
    if (!state) throw new ParleyError('not_found', 'There is no such conversation here.');
    const { low } = state;
    if (low !== undefined && low <= Math.max(1, state.own?.firstNumber ?? 1))
      return { messages: [], more: false };
    // Later changes of these messages come as events, also while the page is on its way: the newer version wins.
    const page = await this.read(conversationId, { before: low, limit, atLeast: state.standing });
    if (this.store.state(conversationId) === state && state.low === low) {
      this.store.applyPage(conversationId, page);
    }
    return { messages: page.items, more: page.hasBefore };
  }
}
