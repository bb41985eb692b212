import { Moved } from '@parley/broker';
import type { CommandData, CommandName, LogEvent } from '@parley/contracts';
import { ParleyError, unavailable } from '@parley/contracts';
import { activeSpan } from '@parley/service';
import { blank } from '../conversation/conversation.rules';
import type { ConversationState } from '../conversation/conversation.state';
import { toHead } from '../conversation/conversation.state';
import type { OwnerClock } from './clock';
import { Committer } from './committer';
import { ConversationMemory } from './conversation.memory';
import { clientIdKey, decide, messagesNamed, refuse, repeat } from './decide';
import type { Decision, DecisionContext } from './decision';
import { LateRows } from './late.rows';
import type { Loader } from './loader';
import type { LogBroken, LogRow, LogStore } from './log.store';
import { Partition, UNANSWERED_MAX } from './partition';
import type { SpansOfRows } from './commit.trace';
import { readTails } from './tails';
import type { Task } from './task';
import { answer, isTooLate, moveOn, partLate, refuseLate } from './task';

export interface OwnerOptions {
  store: LogStore;
  loader: Loader;
  clock: OwnerClock;
  newId(): string;
  /** Keyed hash of a request, for commands that are recognised when repeated. */
  hash(command: CommandName, data: CommandData<CommandName>): string;
  isLeaseValid(partition: number): boolean;
  /** Tells consumers of rows that are stored; `spans` of the sampled commands that made some of them. */
  publish(rows: LogRow[], spans?: SpansOfRows): void;
  /** The term is over: a higher one has written, or the log is not what it was, as the reason says. */
  onLost(partition: number, term: number, reason?: LogBroken): void;
  onCommit?(rows: LogRow[], durationMs: number): void;
  /** An append ended in a way that does not say what is stored. */
  onDoubt?(reason: unknown): void;
  /** The store could not be read; where anybody can wait it is asked again. */
  onUnread?(error: unknown): void;
  /** A conversation came into memory from the store. */
  onRead?(): void;
  /** For conversations in memory, twice as much at most; where it is left out, a share of the heap. */
  conversationBytesMax?: number;
}

/** Pause before a store that did not answer is asked again, and before a lease that has run out is looked at again. */
const LOAD_AGAIN_MS = 50;
/** Messages that are read ahead for those who wait for their conversation: fewer than memory keeps. */
const AHEAD_MAX = 32;
/** Above the time of any command: a log that is away must not keep others from taking over. */
const CLOSE_MS_MAX = 2500;

/**
 * Decides the commands of the partitions that this instance owns, in order, on state in memory, and gives what it
 * decided to the committer. Answers leave when everything decided before them is stored. Safety does not rest on being
 * the only owner: whatever another one appended in between is noticed at the append, and then memory is dropped and
 * everything unanswered is decided again.
 */
export class LogOwner {
  private readonly partitions = new Map<number, Partition>();
  private readonly conversations: ConversationMemory;
  private readonly committer: Committer;
  private readonly lateRows: LateRows;
  private sequence = 0;

  constructor(private readonly options: OwnerOptions) {
    this.conversations = new ConversationMemory(() => this.uncommitted(), options.conversationBytesMax);
    this.committer = new Committer({
      store: options.store,
      clock: options.clock,
      publish: options.publish,
      onCommit: options.onCommit,
      onDoubt: options.onDoubt,
      onUnread: options.onUnread,
      retry: (partition, tasks) => tasks.forEach((task) => this.consider(partition, task)),
      lose: (partition, reason) => {
        // Else it was lost before, and this instance may own it again, under another term.
        if (!this.end(partition)) return;
        options.onLost(partition.number, partition.term, reason);
      },
      mayCome: (partition) => this.lateRows.watch(partition),
    });
    this.lateRows = new LateRows({
      store: options.store,
      clock: options.clock,
      onUnread: options.onUnread,
      found: (partition) => this.committer.poison(partition),
    });
  }

  /**
   * Begins terms: finds where the log ends and takes commands from then on. Answers the partitions that it does not serve, and
   * why: LogBroken where that needs somebody to look at it, anything else where the log could not be read now.
   */
  async open(terms: Map<number, number>): Promise<Map<number, unknown>> {
    const { store, onUnread } = this.options;
    const { found, missing } = await readTails(store, [...terms.keys()], onUnread);
    for (const [number, tail] of found) {
      const partition = new Partition(number, terms.get(number)!, this.conversations.ofPartition());
      partition.position = partition.committed = tail.position;
      this.partitions.set(number, partition);
      this.lateRows.watch(partition);
    }
    return missing;
  }

  /** Ends a term in order: takes nothing more, and resolves when all it took is answered, or nobody waits for it any more. */
  async close(number: number): Promise<void> {
    const { clock } = this.options;
    const partition = this.partitions.get(number);
    if (!partition) return;
    partition.isClosed = true;
    const until = clock.monotonic() + CLOSE_MS_MAX;
    while (!partition.isIdle && !partition.isLost && clock.monotonic() < until) await clock.sleep(5);
    this.end(partition);
  }

  /** The term is over: what is not decided goes to whoever owns the partition now. */
  drop(number: number): void {
    const partition = this.partitions.get(number);
    if (partition) this.end(partition);
  }

  /** Ends this term of a partition, if it has not ended yet; answers whether it had not. */
  private end(partition: Partition): boolean {
    if (partition.isLost) return false;
    this.partitions.delete(partition.number);
    partition.isLost = true;
    const inFlight = partition.inFlight;
    partition.inFlight = [];
    partition.reset().forEach(moveOn);
    partition.inFlight = inFlight; // The committer settles these: they may be stored already.
    return true;
  }

  /** Conversations of which something is decided that is not stored yet; some more than once. */
  private *uncommitted(): Iterable<string> {
    for (const { queue, inFlight } of this.partitions.values()) {
      for (const task of queue) yield task.data.conversationId;
      for (const task of inFlight) yield task.data.conversationId;
    }
  }

  /** What conversations in memory take, and may, in bytes. */
  memory(): { bytes: number; limit: number } {
    return this.conversations.size();
  }

  /** Last stored position by partition. */
  heads(): Map<number, number> {
    return new Map([...this.partitions.values()].map((partition) => [partition.number, partition.committed]));
  }

  submit(
    name: CommandName,
    data: CommandData<CommandName>,
    address: { partition: number; term: number; expiresAt: number },
  ): Promise<object> {
    const partition = this.partitions.get(address.partition);
    if (!partition || partition.term !== address.term || partition.isClosed)
      return Promise.reject(new Moved());
    if (partition.unanswered >= UNANSWERED_MAX)
      return Promise.reject(unavailable('The conversation is overloaded.', 1000));
    const requestHash = name === 'message.send' ? this.options.hash(name, data) : '';
    return new Promise((resolve, reject) => {
      const sequence = this.sequence++;
      this.consider(partition, {
        sequence,
        name,
        data,
        expiresAt: address.expiresAt,
        requestHash,
        span: activeSpan(),
        resolve,
        reject,
      });
    });
  }

  /** Decides a task, or holds it back until what it needs is in memory. */
  private consider(partition: Partition, task: Task): void {
    if (partition.isLost) return moveOn(task);
    if (partition.isResetting) {
      partition.backlog.push(task);
      return;
    }
    const { conversationId } = task.data;
    if (partition.isHolding(conversationId)) {
      partition.hold(conversationId, task);
      return;
    }
    if (this.isTooLate(task)) return refuseLate(task);
    const messages = this.missingMessages(partition, task);
    if (messages.length > 0 || !partition.conversations.has(conversationId)) {
      partition.hold(conversationId, task);
      void this.load(partition, conversationId, messages, task);
      return;
    }
    // When it is considered again memory may have forgotten them.
    task.messagesLoaded = false;
    if ((task.isKnownRepeat || task.isOvertaken) && !task.repeatChecked)
      void this.lookForRepeat(partition, task);
    else this.settle(partition, task);
  }

  private missingMessages(partition: Partition, task: Task): string[] {
    const named = messagesNamed(task);
    if (task.name === 'message.send') {
      const repeated = partition.clientIds.get(clientIdKey(task.data as CommandData<'message.send'>));
      if (repeated !== undefined) named.push(repeated);
    }
    return task.messagesLoaded ? [] : named.filter((id) => !partition.messages.has(id));
  }

  /**
   * Loads what one task needs. Commands of the same conversation wait behind it; nobody else does. What they name comes along: one
   * after the other they would wait in vain, where an owner has come whose memory is empty. A store that does not answer is asked
   * again for as long as somebody waits.
   */
  private async load(
    partition: Partition,
    conversationId: string,
    messages: string[],
    task: Task,
  ): Promise<void> {
    const { generation } = partition;
    // Once it is another one, the tasks went with what was dropped.
    while (partition.generation === generation) {
      try {
        const { loader } = this.options;
        // Those who come with it are held only after it.
        await Promise.resolve();
        const known = partition.conversations.get(conversationId);
        const [state, states] = await Promise.all([
          known ?? loader.conversation(conversationId),
          loader.messages(conversationId, this.withThoseBehind(partition, conversationId, messages)),
        ]);
        if (partition.generation !== generation) return;
        if (!known) {
          partition.conversations.set(conversationId, state ?? blank(conversationId));
          this.options.onRead?.();
        }
        for (const found of states) partition.messages.load(found);
        if (messages.length > 0) task.messagesLoaded = true;
        this.resume(partition, conversationId);
        return;
      } catch (error) {
        this.options.onUnread?.(error);
        if (partition.generation !== generation) return;
        const { late, left } = this.takeHeld(partition, conversationId);
        for (const each of late) each.reject(unavailable('The conversation cannot be read at the moment.'));
        if (left.length === 0) return;
        partition.hold(conversationId, ...left);
        await this.options.clock.sleep(LOAD_AGAIN_MS);
      }
    }
  }

  /** Some of what the tasks name that are held with a conversation, beside these. */
  private withThoseBehind(partition: Partition, conversationId: string, messages: string[]): string[] {
    const wanted = new Set(messages);
    for (const task of partition.held(conversationId)) {
      if (wanted.size >= AHEAD_MAX) break;
      for (const id of this.missingMessages(partition, task)) wanted.add(id);
    }
    return [...wanted];
  }

  private resume(partition: Partition, conversationId: string): void {
    const { late, left } = this.takeHeld(partition, conversationId);
    for (const task of late) refuseLate(task);
    for (const task of left) this.consider(partition, task);
  }

  /** Who waited for a conversation. */
  private takeHeld(partition: Partition, conversationId: string): { late: Task[]; left: Task[] } {
    return partLate(partition.takeHeld(conversationId), this.options.clock.monotonic());
  }

  private isTooLate(task: Task): boolean {
    return isTooLate(task, this.options.clock.monotonic());
  }

  private settle(partition: Partition, task: Task): void {
    const state = partition.conversations.get(task.data.conversationId)!;
    try {
      const decision = this.decide(partition, state, task);
      task.outcome = { reply: decision.reply };
      task.row = decision.event && this.record(partition, state, task, decision, decision.event);
    } catch (error) {
      if (!(error instanceof ParleyError)) return this.fail(partition, task, error);
      task.outcome = { error };
      task.row = undefined;
      if (task.name === 'message.send' && !task.repeatChecked && error.code !== 'idempotency_mismatch') {
        void this.lookForRepeat(partition, task);
        return;
      }
    }
    this.finish(partition, task);
  }

  /** What was decided leaves once everything decided before it is stored. */
  private finish(partition: Partition, task: Task): void {
    if (task.row || partition.hasUncommitted) {
      partition.queue.push(task);
      // Not sooner: what makes room now must not drop this conversation, whose change is not stored.
      if (task.row) partition.conversations.changed(task.row.memberships.length);
      this.committer.add(partition);
    } else if (this.options.isLeaseValid(partition.number)) {
      answer(task);
    } else {
      void this.awaitLease(partition, task);
    }
  }

  /** Whether an append that is to come, or the lease, says that memory is what the log is. */
  private isVouchedFor(partition: Partition): boolean {
    return partition.hasUncommitted || this.options.isLeaseValid(partition.number);
  }

  /**
   * Neither an append nor a lease vouches for what was decided on. Sent on to the next owner it would be overtaken by what
   * this term still takes and stores; so its conversation waits, until the lease is renewed, an append vouches, the term ends,
   * or nobody waits any more.
   */
  private async awaitLease(partition: Partition, task: Task): Promise<void> {
    const { generation } = partition;
    const { conversationId } = task.data;
    // What the log said before the pause is old after it.
    task.repeatChecked = false;
    partition.hold(conversationId, task);
    await this.options.clock.sleep(LOAD_AGAIN_MS);
    if (partition.generation === generation) this.resume(partition, conversationId);
  }

  private decide(partition: Partition, state: ConversationState, task: Task): Decision {
    const context: DecisionContext = {
      now: this.options.clock.now(),
      newId: this.options.newId,
      requestHash: task.requestHash,
      messages: partition.messages,
    };
    if (task.name === 'message.send') {
      const known = partition.clientIds.get(clientIdKey(task.data as CommandData<'message.send'>));
      if (known !== undefined) return repeat(task, known, context);
      if (task.isOvertaken) return refuse(state, task, context);
    }
    return decide(state, task, context);
  }

  private record(
    partition: Partition,
    state: ConversationState,
    task: Task,
    decision: Decision,
    event: Omit<LogEvent, 'position'>,
  ): LogRow {
    partition.position += 1;
    const { message } = decision;
    const isNew = event.kind === 'message.created';
    if (message) partition.messages.change(message, partition.position);
    if (isNew && message) {
      partition.clientIds.set(clientIdKey(task.data as CommandData<'message.send'>), message.message.id);
    }
    return {
      partition: partition.number,
      position: partition.position,
      term: partition.term,
      conversationId: state.id,
      version: event.version,
      number: isNew && message ? message.message.number : null,
      messageId: message?.message.id ?? null,
      senderId: isNew ? task.data.actorId : null,
      clientMessageId: isNew && message ? message.message.clientMessageId : null,
      requestHash: message?.requestHash ?? null,
      at: event.at,
      event: JSON.stringify({ position: partition.position, ...event }),
      reactors: message?.reactors ? JSON.stringify(message.reactors) : null,
      conversation: toHead(state),
      memberships: decision.memberships,
      mentions: decision.mentions,
      ...(decision.mentionChange && { mentionChange: decision.mentionChange }),
    };
  }

  /**
   * A refused send may repeat one that was accepted earlier: that is recognised before anything else is said. One that
   * does not stays refused: later sends of its socket have been decided meanwhile, and it must not be accepted behind them.
   */
  private async lookForRepeat(partition: Partition, task: Task): Promise<void> {
    const data = task.data as CommandData<'message.send'>;
    const { generation } = partition;
    partition.asking += 1;
    const found = await this.findRepeated(task, data);
    partition.asking -= 1;
    if (!found) return task.reject(unavailable('The log cannot be read at the moment.'));
    const isSameMemory = partition.generation === generation;
    task.repeatChecked = true;
    if (found.id !== undefined) {
      partition.clientIds.set(clientIdKey(data), found.id);
      this.consider(partition, task);
    } else if (task.isKnownRepeat) {
      // The log has lost it again, with a primary that was rolled back; later sends have been decided meanwhile.
      task.reject(unavailable('The log has lost what it knew of this message.'));
    } else if (isSameMemory && !task.isOvertaken && this.isVouchedFor(partition)) {
      this.finish(partition, task);
    } else {
      // The state that it was refused on may never have been stored, or be old: it is refused on what holds now, if at all.
      task.isOvertaken = true;
      // Memory is dropped where the log holds more than was known: it may hold this one.
      if (!isSameMemory) task.repeatChecked = false;
      this.consider(partition, task);
    }
  }

  /** The message that the log has for a send, if any; undefined when it did not say while its asker could wait. */
  private async findRepeated(
    task: Task,
    { conversationId, actorId, clientMessageId }: CommandData<'message.send'>,
  ): Promise<{ id?: string } | undefined> {
    for (;;) {
      try {
        return { id: await this.options.store.messageIdOf(conversationId, actorId, clientMessageId) };
      } catch (error) {
        this.options.onUnread?.(error);
        if (this.isTooLate(task)) return undefined;
        await this.options.clock.sleep(LOAD_AGAIN_MS);
      }
    }
  }

  /** A rule broke: its command alone fails, but the memory that it may have half changed is not to be trusted. */
  private fail(partition: Partition, task: Task, error: unknown): void {
    task.reject(error as Error);
    this.committer.poison(partition);
  }
}
