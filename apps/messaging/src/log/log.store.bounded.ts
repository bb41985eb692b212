import { within } from '@parley/service';
import type { ConversationHead, ConversationState, MessageState } from '../conversation/conversation.state';
import type {
  LogBroken,
  LogRow,
  MemberEntry,
  MessageRef,
  Place,
  Shortfall,
  StoredEvent,
  Tail,
} from './log.store';
import { LogStore } from './log.store';

/** In milliseconds, each well above what the stores themselves allow a statement, a connection and the wait for one. */
export interface LogStoreLimits {
  read: number;
  append: number;
  /** Of a long tail it takes many pages; what they brought stays when it is given up. */
  catchUp: number;
}

const LIMITS: LogStoreLimits = { read: 5_000, append: 10_000, catchUp: 60_000 };

/**
 * A store that answers or throws within a time. Stores have limits of their own; but one promise that a driver forgets
 * is enough: an owner that waits for it stands still with all that it owns, without a word, until somebody restarts it.
 * What is given up here may still happen, as with a connection that is lost.
 */
export class BoundedLogStore extends LogStore {
  constructor(
    private readonly store: LogStore,
    private readonly limits = LIMITS,
  ) {
    super();
  }

  override append(rows: LogRow[]): Promise<Map<number, Shortfall>> {
    return within(this.limits.append, 'append to the log', this.store.append(rows));
  }

  override catchUp(partitions: number[]): Promise<Map<number, Tail | LogBroken>> {
    return within(this.limits.catchUp, 'catching up with the log', this.store.catchUp(partitions));
  }

  override positions(partitions: number[]): Promise<Map<number, number>> {
    return within(this.limits.read, 'positions of the log', this.store.positions(partitions));
  }

  override read(partition: number, after: number, limit: number): Promise<StoredEvent[]> {
    return within(this.limits.read, 'read of the log', this.store.read(partition, after, limit));
  }

  override readAt(places: Place[]): Promise<(Place & StoredEvent)[]> {
    return within(this.limits.read, 'read of the log by place', this.store.readAt(places));
  }

  override conversations(ids: string[]): Promise<Map<string, ConversationState | ConversationHead>> {
    return within(this.limits.read, 'read of conversations', this.store.conversations(ids));
  }

  override members(ids: string[], limit: number, after?: string): Promise<Map<string, MemberEntry[]>> {
    return within(this.limits.read, 'read of members', this.store.members(ids, limit, after));
  }

  override messages(wanted: MessageRef[]): Promise<Map<string, MessageState>> {
    return within(this.limits.read, 'read of messages', this.store.messages(wanted));
  }

  override messageIdOf(
    conversationId: string,
    senderId: string,
    clientMessageId: string,
  ): Promise<string | undefined> {
    const found = this.store.messageIdOf(conversationId, senderId, clientMessageId);
    return within(this.limits.read, 'read of a message id', found);
  }
}
