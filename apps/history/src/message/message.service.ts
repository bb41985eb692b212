import { Injectable } from '@nestjs/common';
import { limits, type Message, type MessagePage, ParleyError } from '@parley/contracts';
import { ReadAccess } from '../access/read.access';
import { ViewStore } from '../view/view.store';
import { pageOf, type PageAsk, rangeOf } from './message.page';
import { cursorOf, numberOf } from './number.cursor';

export interface MessagesAsk extends PageAsk {
  /** A time: the page around the first message from then on. */
  at?: string;
  limit?: number;
  atLeast?: number;
}

export interface ListAsk {
  limit?: number;
  cursor?: string;
  atLeast?: number;
}

export interface MessageList {
  items: Message[];
  nextCursor: string | null;
}

/** Reads of messages. Each begins with whether the caller may. */
@Injectable()
export class MessageService {
  constructor(
    private readonly store: ViewStore,
    private readonly access: ReadAccess,
  ) {}

  async page(userId: string, conversationId: string, ask: MessagesAsk): Promise<MessagePage> {
    const { messageCount } = await this.access.check(userId, conversationId, ask.atLeast);
    const { at, limit = limits.pageLimitDefault } = ask;
    const around = at === undefined ? ask.around : await this.store.numberAt(conversationId, at);
    const range = rangeOf({ ...ask, around }, limit, messageCount);
    const items = await this.store.messages({ conversationId, ...range });
    return pageOf(ask, items, messageCount);
  }

  async one(userId: string, conversationId: string, messageId: string, atLeast?: number): Promise<Message> {
    await this.access.check(userId, conversationId, atLeast);
    return this.find(conversationId, messageId);
  }

  /** The replies in a message's thread, in rising number, without the message itself. */
  async thread(userId: string, conversationId: string, messageId: string, ask: ListAsk) {
    const above = numberOf(ask.cursor);
    const { messageCount } = await this.access.check(userId, conversationId, ask.atLeast);
    await this.find(conversationId, messageId);
    const below = messageCount + 1;
    return this.list(ask, (limit) =>
      this.store.messages({ conversationId, threadId: messageId, above, below, newest: false, limit }),
    );
  }

  /** Pinned messages, the newest message first. */
  async pins(userId: string, conversationId: string, ask: ListAsk) {
    const before = numberOf(ask.cursor);
    const { messageCount } = await this.access.check(userId, conversationId, ask.atLeast);
    const below = Math.min(before ?? Infinity, messageCount + 1);
    return this.list(ask, async (limit) => {
      const pinned = await this.store.messages({ conversationId, pinned: true, below, newest: true, limit });
      return pinned.reverse();
    });
  }

  private async find(conversationId: string, messageId: string): Promise<Message> {
    const message = await this.store.message(conversationId, messageId);
    if (!message) throw new ParleyError('not_found', 'There is no such message.');
    return message;
  }

  private async list(ask: ListAsk, read: (limit: number) => Promise<Message[]>): Promise<MessageList> {
    const limit = ask.limit ?? limits.pageLimitDefault;
    const found = await read(limit + 1);
    const items = found.slice(0, limit);
    const last = items[items.length - 1];
    return { items, nextCursor: last && found.length > limit ? cursorOf(last.number) : null };
  }
}
