import type { ConversationState, MessageState } from '../conversation/conversation.state';
import { LruMap } from './lru';
import type { Task } from './task';

/** Commands of one partition that may be without an answer at once; more are refused. */
export const UNANSWERED_MAX = 500;
/**
 * What is decided and not yet stored must stay in memory. A command touches one conversation, at most three messages and
 * one client id, so these bounds leave more room than UNANSWERED_MAX commands can fill.
 */
const CONVERSATIONS_MAX = 4 * UNANSWERED_MAX;
const MESSAGES_MAX = 4 * UNANSWERED_MAX;
const CLIENT_IDS_MAX = 2 * UNANSWERED_MAX;

/** Everything an owner keeps in memory about one partition under one term. */
export class Partition {
  /** The last position decided, committed or not. */
  position = 0;
  /** The last position that is certainly stored. */
  committed = 0;
  conversations = new LruMap<string, ConversationState>(CONVERSATIONS_MAX);
  /** Latest states of messages, uncommitted ones included. */
  messages = new LruMap<string, MessageState>(MESSAGES_MAX);
  /** `conversation/sender/clientMessageId` to message id, for repeats. */
  clientIds = new LruMap<string, string>(CLIENT_IDS_MAX);
  /** Decided, not yet under way to the log. */
  queue: Task[] = [];
  /** Under way to the log. */
  inFlight: Task[] = [];
  /** Held back until their conversation, or a message they name, is loaded. */
  waiting = new Map<string, Task[]>();
  /** Held back while memory is dropped and the tail is read. */
  backlog: Task[] = [];
  isResetting = false;
  /** Takes no more commands; what it has is still decided and committed. */
  isClosed = false;
  /** Ownership is over: nothing more is decided. */
  isLost = false;
  /** Rises whenever memory is dropped; what was loaded for an earlier one is thrown away. */
  generation = 0;

  constructor(
    readonly number: number,
    readonly term: number,
  ) {}

  get hasUncommitted(): boolean {
    return this.queue.length > 0 || this.inFlight.length > 0;
  }

  /** Commands without an answer, those that wait for a load excepted: they hold nothing in memory yet. */
  get unanswered(): number {
    return this.queue.length + this.inFlight.length + this.backlog.length;
  }

  get isIdle(): boolean {
    return !this.hasUncommitted && this.waiting.size === 0 && this.backlog.length === 0 && !this.isResetting;
  }

  /** Drops all memory and hands over every task that has no answer, in order of arrival. */
  reset(): Task[] {
    const tasks = [...this.inFlight, ...this.queue, ...[...this.waiting.values()].flat(), ...this.backlog];
    this.generation += 1;
    this.conversations.clear();
    this.messages.clear();
    this.clientIds.clear();
    this.inFlight = [];
    this.queue = [];
    this.waiting.clear();
    this.backlog = [];
    return tasks.sort((a, b) => a.sequence - b.sequence);
  }
}
