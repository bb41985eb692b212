import type { Conversation, Member, Message, QueryReply } from '@parley/contracts';

interface Held {
  version: number;
  messages: Map<number, Message>;
  members: Map<string, Member>;
  conversation?: Conversation;
}

type Page = QueryReply<'history.sync'>;

/** A client's state as the contract's rules for `sync` make it. */
export class SyncClient {
  epoch: string | null = null;
  readonly held = new Map<string, Held>();
  readonly removed = new Set<string>();

  /** Takes up a conversation of which it knows nothing. */
  hold(conversationId: string): void {
    if (!this.held.has(conversationId)) this.held.set(conversationId, blank());
  }

  versions(): Record<string, number> {
    return Object.fromEntries([...this.held].map(([id, { version }]) => [id, version]));
  }

  /** Whether every conversation of the page says that there is more. */
  apply(page: Page): void {
    this.epoch = page.epoch;
    for (const delta of page.conversations) {
      const held = delta.reset ? blank() : (this.held.get(delta.id) ?? blank());
      this.held.set(delta.id, held);
      for (const message of delta.messages) {
        const known = held.messages.get(message.number);
        if (!known || known.version <= message.version) held.messages.set(message.number, message);
      }
      for (const member of delta.members) held.members.set(member.userId, member);
      for (const userId of delta.membersRemoved) held.members.delete(userId);
      if (delta.conversation) held.conversation = delta.conversation;
      held.version = delta.version;
    }
    for (const id of page.removed) {
      this.held.delete(id);
      this.removed.add(id);
    }
  }
}

function blank(): Held {
  return { version: 0, messages: new Map(), members: new Map() };
}
