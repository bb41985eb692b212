import type { LogRow, Shortfall } from './log.store';
import { AppendRefused, ClientIdTaken, LogBroken, PositionTaken } from './log.store';
import { CommitTrace, type SpansOfRows } from './commit.trace';
import type { Partition } from './partition';
import { Recovery, type RecoveryOptions, REREAD_MS } from './recovery';
import type { Task } from './task';
import { answer, isTooLate } from './task';

export interface CommitterOptions extends RecoveryOptions {
  publish(rows: LogRow[], spans?: SpansOfRows): void;
  onCommit?(rows: LogRow[], durationMs: number): void;
  /** An append ended in a way that does not say what is stored. */
  onDoubt?(reason: unknown): void;
}

/** Of one append: so much that the log takes it well within a statement's time. */
const ROWS_MAX = 1000;
const CHARACTERS_MAX = 4_000_000;
/** What a member or a mention costs that a row makes or takes back, as characters. */
const ENTRY_CHARACTERS = 500;

/**
 * Group commit: what was decided while an append is under way goes into the next one, over all partitions, so that one
 * durable write serves many commands and nobody waits for a timer.
 */
export class Committer {
  private readonly dirty = new Set<Partition>();
  private readonly poisoned = new Set<Partition>();
  private readonly recovery: Recovery;
  private isRunning = false;

  constructor(private readonly options: CommitterOptions) {
    this.recovery = new Recovery(options);
  }

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
        this.recover(partition, []);
      }
      await this.commit(this.take());
    }
    this.isRunning = false;
  }

  /** What fits into one append. Whose queue is longer goes to the end of the line: others are not to wait for all of it. */
  private take(): Map<Partition, Task[]> {
    const batch = new Map<Partition, Task[]>();
    const room = { rows: ROWS_MAX, characters: CHARACTERS_MAX };
    for (const partition of this.dirty) {
      if (room.rows <= 0 || room.characters <= 0) break;
      const tasks = partition.queue.splice(0, countFitting(partition.queue, room));
      if (tasks.length > 0) {
        partition.inFlight = tasks;
        batch.set(partition, tasks);
      }
      if (partition.queue.length > 0) break;
      this.dirty.delete(partition);
    }
    for (const partition of batch.keys()) {
      if (this.dirty.delete(partition)) this.dirty.add(partition);
    }
    return batch;
  }

  private async commit(batch: Map<Partition, Task[]>): Promise<void> {
    const { clock } = this.options;
    for (;;) {
      this.giveUp(batch);
      if (batch.size === 0) return;
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
      if (reason instanceof AppendRefused && batch.size > 1) return this.appendApart(batch);
      return new Map([...batch.keys()].map(({ number }) => [number, { stored: 0, reason }]));
    }
  }

  /** Rows that the log will not have are to cost no other partition more than time. Ends early where the log is away. */
  private async appendApart(batch: Map<Partition, Task[]>): Promise<Map<number, Shortfall>> {
    const shortfalls = new Map<number, Shortfall>();
    let isAway = false;
    for (const [partition, tasks] of batch) {
      // It may have waited behind others until nobody waits for it, or its term is over.
      if (isAway || this.isOver(partition, tasks)) {
        shortfalls.set(partition.number, { stored: 0 });
        continue;
      }
      const alone = new Map([[partition, tasks]]);
      const short = (await this.append(alone, rowsOf(alone))).get(partition.number);
      if (!short) continue;
      shortfalls.set(partition.number, short);
      isAway = !isCertain(short.reason);
    }
    return shortfalls;
  }

  /** Settles what of an append was not stored; answers what of it is to be appended again as it is. */
  private async goOn(short: Short[]): Promise<Map<Partition, Task[]>> {
    const again = new Map<Partition, Task[]>();
    const doubtful: Short[] = [];
    for (const each of short) {
      const { partition, tasks, reason } = each;
      partition.inFlight = tasks;
      if (reason === undefined) again.set(partition, tasks);
      else if (reason instanceof PositionTaken || reason instanceof ClientIdTaken) {
        // That partition alone decides again. What was appended before may have stood in its own way.
        const inDoubt = tasks.filter((task) => task.isInDoubt);
        if (reason instanceof ClientIdTaken) markRepeat(tasks, reason);
        this.recover(partition, inDoubt);
      } else {
        for (const task of tasks) task.isInDoubt = true;
        doubtful.push(each);
      }
    }
    for (const reason of new Set(doubtful.map((each) => each.reason))) this.options.onDoubt?.(reason);
    const untouched = await this.untouched(
      doubtful.filter(({ reason }) => !(reason instanceof AppendRefused)),
    );
    for (const { partition, tasks } of doubtful) {
      if (untouched.has(partition)) again.set(partition, tasks);
      else this.recover(partition, tasks);
    }
    return again;
  }

  /**
   * The partitions of which the log, now that it can be read, ends where it did before an append of which nobody knows. The
   * same rows may be appended once more: should the first append come through after all, it and the second keep each other
   * out. While the log is in trouble nothing more is given to it; but no longer than those who asked wait.
   */
  private async untouched(doubtful: Short[]): Promise<Set<Partition>> {
    const untouched = new Set<Partition>();
    let left = doubtful;
    while (left.length > 0) {
      await this.options.clock.sleep(REREAD_MS);
      left = left.filter(({ partition, tasks }) => !partition.isResetting && !this.isOver(partition, tasks));
      const tails = await Promise.all(left.map(({ partition }) => this.recovery.tailNow(partition)));
      for (const [i, { partition }] of left.entries()) {
        const tail = tails[i];
        if (tail && !(tail instanceof LogBroken) && tail.position === partition.committed)
          untouched.add(partition);
      }
      left = left.filter((_, i) => tails[i] === undefined);
    }
    return untouched;
  }

  /**
   * What nobody waits for any longer is not stored, and all that its partition decided after it is decided again; nor is
   * anything that was decided under a term that has ended.
   */
  private giveUp(batch: Map<Partition, Task[]>): void {
    for (const [partition, tasks] of batch) {
      if (!this.isOver(partition, tasks)) continue;
      batch.delete(partition);
      this.recover(
        partition,
        tasks.filter((task) => task.isInDoubt),
      );
    }
  }

  /** Nothing of it is to be given to the log any more. */
  private isOver(partition: Partition, tasks: Task[]): boolean {
    return partition.isLost || this.isLate(tasks);
  }

  private isLate(tasks: Task[]): boolean {
    const now = this.options.clock.monotonic();
    return tasks.some((task) => task.row && isTooLate(task, now));
  }

  /** Beside everything else: nobody waits for a partition that cannot go on. */
  private recover(partition: Partition, doubtful: Task[]): void {
    this.dirty.delete(partition);
    void this.recovery.recover(partition, doubtful);
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
}

/** How many of the first tasks there is room for, which they take up; the first where nothing else is in it. */
function countFitting(tasks: readonly Task[], room: { rows: number; characters: number }): number {
  const isEmpty = room.characters === CHARACTERS_MAX;
  let count = 0;
  for (const { row } of tasks) {
    const characters = row ? charactersOf(row) : 0;
    const fits = room.rows > 0 && characters <= room.characters;
    if (!fits && !(isEmpty && count === 0)) break;
    room.rows -= 1;
    room.characters -= characters;
    count += 1;
  }
  return count;
}

function charactersOf({ event, reactors, memberships, mentions, mentionChange }: LogRow): number {
  const mentioned =
    mentions.length + (mentionChange ? mentionChange.added.length + mentionChange.gone.length : 0);
  return event.length + (reactors?.length ?? 0) + ENTRY_CHARACTERS * (memberships.length + mentioned);
}

function isCertain(reason: unknown): boolean {
  return (
    reason instanceof PositionTaken || reason instanceof ClientIdTaken || reason instanceof AppendRefused
  );
}

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

/**
 * The log knows this client id from earlier: its task is recognised as a repeat when it is decided again. It and what stands
 * behind it is not stored by any append of these rows.
 */
function markRepeat(tasks: Task[], taken: ClientIdTaken): void {
  const isRepeat = ({ row }: Task) =>
    row?.clientMessageId === taken.clientMessageId &&
    row.senderId === taken.senderId &&
    row.conversationId === taken.conversationId;
  const first = tasks.findIndex(isRepeat);
  if (first < 0) return;
  tasks[first]!.isKnownRepeat = true;
  for (const task of tasks.slice(first)) task.isInDoubt = false;
}
