import { Moved } from '@parley/broker';
import { unavailable } from '@parley/contracts';
import type { LogRow, LogStore, Shortfall } from './log.store';
import { ClientIdTaken, LogBroken, PositionTaken } from './log.store';
import type { OwnerClock } from './clock';
import type { Partition } from './partition';
import type { Task } from './task';
import { answer, isTooLate } from './task';
import { CommitTrace, type SpansOfRows } from './commit.trace';

export interface CommitterOptions {
  store: LogStore;
  clock: OwnerClock;
  publish(rows: LogRow[], spans?: SpansOfRows): void;
  onCommit?(rows: LogRow[], durationMs: number): void;
  /** An append ended in a way that does not say what is stored. */
  onDoubt?(reason: unknown): void;
  /** The log could not be read; it is asked again. */
  onUnread?(error: unknown): void;
  /** Decides tasks again on fresh memory. */
  retry(partition: Partition, tasks: Task[]): void;
  /** A higher term has written, or the log is not what it was, as the reason says: this term never commits again. */
  lose(partition: Partition, reason?: LogBroken): void;
}

const ROWS_MAX = 1000;
const REREAD_MS = 100;

/**
 * Group commit: what was decided while an append is under way goes into the next one, over all partitions, so that one
 * durable write serves many commands and nobody waits for a timer.
 */
export class Committer {
  private readonly dirty = new Set<Partition>();
  private readonly poisoned = new Set<Partition>();
  private isRunning = false;

  constructor(private readonly options: CommitterOptions) {}

  /** The partition has something in its queue. */
  add(partition: Partition): void {
    this.dirty.add(partition);
    this.wake();
  }

  /** The memory of the partition is not to be trusted: it is dropped once what is under way has ended. */
  poison(partition: Partition): void {
    partition.isResetting = true;
    this.poisoned.add(partition);
    this.wake();
  }

  private wake(): void {
    if (this.isRunning) return;
    this.isRunning = true;
    // After everything that this tick brings has been decided.
    setImmediate(() => void this.run());
  }

  private async run(): Promise<void> {
    while (this.dirty.size > 0 || this.poisoned.size > 0) {
      for (const partition of this.poisoned) {
        this.poisoned.delete(partition);
        await this.recover(partition, []);
      }
      await this.commit(this.take());
    }
    this.isRunning = false;
  }

  private take(): Map<Partition, Task[]> {
    const batch = new Map<Partition, Task[]>();
    let size = 0;
    for (const partition of this.dirty) {
      if (size >= ROWS_MAX) break;
      const tasks = partition.queue.splice(0, ROWS_MAX - size);
      if (partition.queue.length === 0) this.dirty.delete(partition);
      if (tasks.length === 0) continue;
      size += tasks.length;
      partition.inFlight = tasks;
      batch.set(partition, tasks);
    }
    return batch;
  }

  private async commit(batch: Map<Partition, Task[]>): Promise<void> {
    const { clock } = this.options;
    while (batch.size > 0) {
      const rows = rowsOf(batch);
      const trace = CommitTrace.of(batch);
      const startedAt = clock.monotonic();
      const shortfalls = await this.append(batch, rows);
      const { done, short } = divide(batch, shortfalls);
      const stored = shortfalls.size === 0 ? rows : rowsOf(done);
      this.succeed(done, stored, clock.monotonic() - startedAt, trace?.end(stored, rows.length));
      batch = await this.goOn(short);
    }
  }

  private async append(batch: Map<Partition, Task[]>, rows: LogRow[]): Promise<Map<number, Shortfall>> {
    try {
      return rows.length > 0 ? await this.options.store.append(rows) : new Map<number, Shortfall>();
    } catch (reason) {
      return new Map([...batch.keys()].map(({ number }) => [number, { stored: 0, reason }]));
    }
  }

  /** Settles what of an append was not stored; answers what of it is to be appended again as it is. */
  private async goOn(short: Short[]): Promise<Map<Partition, Task[]>> {
    const again = new Map<Partition, Task[]>();
    const doubtful: Short[] = [];
    for (const each of short) {
      const { partition, tasks, reason } = each;
      partition.inFlight = tasks;
      if (reason === undefined) again.set(partition, tasks);
      else if (!(reason instanceof PositionTaken || reason instanceof ClientIdTaken)) doubtful.push(each);
      else {
        // That partition alone decides again. What was appended more than once may have stood in its own way.
        if (reason instanceof ClientIdTaken) markRepeat(tasks, reason);
        void this.recover(
          partition,
          tasks.filter(({ isInDoubt }) => isInDoubt),
        );
      }
    }
    for (const reason of new Set(doubtful.map((each) => each.reason))) this.options.onDoubt?.(reason);
    // The log is in trouble: nothing more is given to it until it can be read.
    await Promise.all(
      doubtful.map(async ({ partition, tasks }) => {
        for (const task of tasks) task.isInDoubt = true;
        if (await this.isUntouched(partition, tasks)) again.set(partition, tasks);
        else await this.recover(partition, tasks);
      }),
    );
    return again;
  }

  /**
   * The log can be read and ends where it did before an append of which nobody knows. The same rows may be appended once
   * more: should the first append come through after all, it and the second keep each other out. Only for as long as all
   * who asked still wait, for what nobody waits for is not to be stored.
   */
  private async isUntouched(partition: Partition, tasks: Task[]): Promise<boolean> {
    const { store, clock } = this.options;
    for (;;) {
      await clock.sleep(REREAD_MS);
      if (partition.isLost || partition.isResetting) return false;
      if (tasks.some((task) => isTooLate(task, clock.monotonic()))) return false;
      try {
        const tail = (await store.catchUp([partition.number])).get(partition.number)!;
        return !(tail instanceof LogBroken) && tail.position === partition.committed;
      } catch (error) {
        this.options.onUnread?.(error);
      }
    }
  }

  private succeed(
    batch: Map<Partition, Task[]>,
    rows: LogRow[],
    durationMs: number,
    spans?: SpansOfRows,
  ): void {
    for (const [partition, tasks] of batch) {
      if (partition.inFlight === tasks) partition.inFlight = [];
      for (const { row } of tasks) {
        if (!row) continue;
        partition.committed = row.position;
        if (row.messageId !== null) partition.messages.commit(row.messageId, row.position);
      }
    }
    if (rows.length > 0) {
      this.options.publish(rows, spans);
      this.options.onCommit?.(rows, durationMs);
    }
    for (const tasks of batch.values()) tasks.forEach(answer);
  }

  /**
   * Drops the memory of a partition, reads the tail, and goes on from there. Of `doubtful` tasks nobody knows whether
   * their rows are stored: the log says it. Those that are there succeed. Where another row is in their place they can never
   * be there, and are decided again, as is everything else without an answer. The others are `unavailable`, never refused
   * for good.
   */
  private async recover(partition: Partition, doubtful: Task[]): Promise<void> {
    const tasks = partition.isLost ? partition.inFlight : partition.reset();
    partition.inFlight = [];
    partition.isResetting = true;
    this.dirty.delete(partition);
    const inDoubt = doubtful.filter((task) => task.row);
    const others = tasks.filter((task) => !inDoubt.includes(task));
    const fates = await this.readBack(partition, inDoubt);
    partition.isResetting = false;
    if (fates === undefined) {
      const reason = unavailable('The log cannot be reached; it may or may not have been carried out.');
      for (const task of inDoubt) task.reject(reason);
      for (const task of [...others, ...partition.backlog.splice(0)]) task.reject(new Moved());
      return;
    }
    const there = inDoubt.filter((task) => fates.get(task) === 'stored');
    if (there.length > 0) this.options.publish(there.map((task) => task.row!));
    for (const task of inDoubt) {
      const fate = fates.get(task);
      if (fate === 'stored') answer(task);
      else if (fate === 'displaced') others.push(task);
      else task.reject(unavailable('The log could not store it.'));
    }
    const again = [...others, ...partition.backlog.splice(0)].sort((a, b) => a.sequence - b.sequence);
    for (const task of again) {
      task.row = undefined;
      task.outcome = undefined;
      task.isInDoubt = false;
      // What the log was asked for them may have changed with it, and what was loaded for them is dropped.
      task.repeatChecked = false;
      task.messagesLoaded = false;
    }
    this.options.retry(partition, again);
  }

  /**
   * What became of these tasks' rows; also moves the partition to the tail, or loses it to a higher term. Undefined when
   * the partition was lost before the log could be read.
   */
  private async readBack(partition: Partition, inDoubt: Task[]): Promise<Map<Task, Fate> | undefined> {
    const { store, clock } = this.options;
    for (;;) {
      try {
        const tail = (await store.catchUp([partition.number])).get(partition.number)!;
        if (tail instanceof LogBroken) {
          this.options.lose(partition, tail);
          return undefined;
        }
        const fates = await this.findFates(partition, inDoubt);
        if (tail.term > partition.term) this.options.lose(partition);
        partition.position = partition.committed = tail.position;
        return fates;
      } catch (error) {
        this.options.onUnread?.(error);
        if (partition.isLost) return undefined;
        await clock.sleep(REREAD_MS);
      }
    }
  }

  /** Of the rows whose place is taken. */
  private async findFates(partition: Partition, inDoubt: Task[]): Promise<Map<Task, Fate>> {
    const fates = new Map<Task, Fate>();
    const first = inDoubt[0]?.row;
    if (!first) return fates;
    const events = await this.options.store.read(partition.number, first.position - 1, inDoubt.length);
    const byPosition = new Map(events.map(({ position, event }) => [position, event]));
    for (const task of inDoubt) {
      const found = byPosition.get(task.row!.position);
      if (found !== undefined) fates.set(task, found === task.row!.event ? 'stored' : 'displaced');
    }
    return fates;
  }
}

type Fate = 'stored' | 'displaced';

/** The tasks of a partition from the first that is not stored on, and why it is not. */
interface Short {
  partition: Partition;
  tasks: Task[];
  reason?: unknown;
}

/** Parts what is stored, with the answers that rest on nothing else, from the rest. */
function divide(
  batch: Map<Partition, Task[]>,
  shortfalls: Map<number, Shortfall>,
): { done: Map<Partition, Task[]>; short: Short[] } {
  if (shortfalls.size === 0) return { done: batch, short: [] };
  const done = new Map<Partition, Task[]>();
  const short: Short[] = [];
  for (const [partition, tasks] of batch) {
    const shortfall = shortfalls.get(partition.number);
    let { stored } = shortfall ?? { stored: tasks.length };
    const end = shortfall ? tasks.findIndex(({ row }) => row && stored-- === 0) : -1;
    if (end < 0) {
      done.set(partition, tasks);
      continue;
    }
    if (end > 0) done.set(partition, tasks.slice(0, end));
    short.push({ partition, tasks: tasks.slice(end), reason: shortfall?.reason });
  }
  return { done, short };
}

function rowsOf(batch: Map<Partition, Task[]>): LogRow[] {
  return [...batch.values()].flat().flatMap(({ row }) => row ?? []);
}

/** The log knows this client id from earlier: its task is recognised as a repeat when it is decided again. */
function markRepeat(tasks: Task[], taken: ClientIdTaken): void {
  for (const task of tasks) {
    const row = task.row;
    if (!row || row.clientMessageId !== taken.clientMessageId || row.senderId !== taken.senderId) continue;
    if (row.conversationId === taken.conversationId) task.isKnownRepeat = true;
  }
}
