import { RecentMap } from '@parley/service';
import type { MessageState } from '../conversation/conversation.state';
import type { PartitionConversations } from './conversation.memory';
import type { Task } from './task';

/** Commands of one partition that may be without an answer at once; more are refused. */
export const UNANSWERED_MAX = 500;
/** A client id may not be forgotten before its message is stored: a repeat would be decided as another message. */
const CLIENT_IDS = UNANSWERED_MAX + 12;
const MESSAGES = 64;

/** The latest states of messages: those that are not stored yet all of them, of the others the recent ones. */
class MessageMemory {
  private readonly uncommitted = new Map<string, { position: number; state: MessageState }>();
  private readonly recent = new RecentMap<string, MessageState>(MESSAGES);

  get(id: string): MessageState | undefined {
    return this.uncommitted.get(id)?.state ?? this.recent.get(id);
  }

  has(id: string): boolean {
    return this.get(id) !== undefined;
  }

  /** As the log had it when it was read: what is known here is as new, or newer. */
  load(state: MessageState): void {
    if (!this.has(state.message.id)) this.recent.set(state.message.id, state);
  }

  /** As the row at this position will leave it. */
  change(state: MessageState, position: number): void {
    this.uncommitted.set(state.message.id, { position, state });
  }

  /** The row at this position is stored. */
  commit(id: string, position: number): void {
    const change = this.uncommitted.get(id);
    if (change?.position !== position) return; // A later row has changed it again.
    this.uncommitted.delete(id);
    this.recent.set(id, change.state);
  }

  clear(): void {
    this.uncommitted.clear();
    this.recent.clear();
  }
}

/** Everything an owner keeps in memory about one partition under one term. */
export class Partition {
  /** The last position decided, committed or not. */
  position = 0;
  /** The last position that is certainly stored. */
  committed = 0;
  readonly messages = new MessageMemory();
  /** `conversation/sender/clientMessageId` to message id, for repeats. */
  readonly clientIds = new RecentMap<string, string>(CLIENT_IDS);
  /** Decided, not yet under way to the log. */
  queue: Task[] = [];
  /** Under way to the log. */
  inFlight: Task[] = [];
  /** Held back until their conversation, or a message they name, is loaded; by conversation. */
  private readonly waiting = new Map<string, Task[]>();
  private waitingCount = 0;
  /** Held back while memory is dropped and the tail is read. */
  backlog: Task[] = [];
  /** Refused, while the log is asked whether they are repeats. */
  asking = 0;
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
    /** Those with changes that are not stored yet all of them, of the others the recent ones. */
    readonly conversations: PartitionConversations,
  ) {}

  get hasUncommitted(): boolean {
    return this.queue.length > 0 || this.inFlight.length > 0;
  }

  /** Commands without an answer. */
  get unanswered(): number {
    return this.queue.length + this.inFlight.length + this.backlog.length + this.waitingCount + this.asking;
  }

  get isIdle(): boolean {
    const isHeld = this.waitingCount > 0 || this.backlog.length > 0 || this.asking > 0;
    return !this.hasUncommitted && !isHeld && !this.isResetting;
  }

  /** Holds a task back with its conversation. */
  hold(conversationId: string, ...tasks: Task[]): void {
    const held = this.waiting.get(conversationId);
    if (held) held.push(...tasks);
    else this.waiting.set(conversationId, tasks);
    this.waitingCount += tasks.length;
  }

  isHolding(conversationId: string): boolean {
    return this.waiting.has(conversationId);
  }

  /** Those held back with a conversation, in order of arrival. */
  held(conversationId: string): readonly Task[] {
    return this.waiting.get(conversationId) ?? [];
  }

  /** The same; they are not held any more. */
  takeHeld(conversationId: string): Task[] {
    const held = this.waiting.get(conversationId) ?? [];
    this.waiting.delete(conversationId);
    this.waitingCount -= held.length;
    return held;
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
    this.waitingCount = 0;
    this.backlog = [];
    return tasks.sort((a, b) => a.sequence - b.sequence);
  }
}
