import { unavailable } from '@parley/contracts';
import type { OwnerClock } from './clock';
import { LOG_CONNECTIONS, LogBroken } from './log.store';
import type { LogRow, LogStore, Tail } from './log.store';
import type { Partition } from './partition';
import type { Task } from './task';
import { answer, forget, moveOn, partLate, refuseLate } from './task';

export interface RecoveryOptions {
  store: LogStore;
  clock: OwnerClock;
  publish(rows: LogRow[]): void;
  /** The log could not be read; it is asked again. */
  onUnread?(error: unknown): void;
  /** Decides tasks again on fresh memory. */
  retry(partition: Partition, tasks: Task[]): void;
  /** A higher term has written, or the log is not what it was, as the reason says: this term never commits again. */
  lose(partition: Partition, reason?: LogBroken): void;
  /** Rows that were refused may still come to be stored. */
  mayCome(partition: Partition): void;
}

/** Pause before a log that could not be read is asked again. */
export const REREAD_MS = 100;

/** Asked of the log at once: the commits of the others keep a connection. */
const QUESTIONS = LOG_CONNECTIONS - 1;

/** What became of a row that may be stored: it is, or another one keeps it out for ever. */
type Fate = 'stored' | 'displaced';

/** Brings partitions whose memory cannot be trusted back to what the log says, however long it takes to read that. */
export class Recovery {
  private readonly underWay = new Map<Partition, Promise<void>>();
  private readonly turns = new Turns(QUESTIONS);

  constructor(private readonly options: RecoveryOptions) {}

  /**
   * Drops the memory of a partition, reads the tail, and goes on from there. Of `doubtful` tasks nobody knows whether
   * their rows are stored: the log says it. Those that are there succeed. Those that can never be there are decided again,
   * as is everything else without an answer. The others are `unavailable`, never refused for good.
   */
  async recover(partition: Partition, doubtful: Task[]): Promise<void> {
    for (let before = this.underWay.get(partition); before; before = this.underWay.get(partition))
      await before;
    const work = this.run(partition, doubtful);
    this.underWay.set(partition, work);
    await work;
    this.underWay.delete(partition);
  }

  private async run(partition: Partition, doubtful: Task[]): Promise<void> {
    const tasks = partition.isLost ? partition.inFlight : partition.reset();
    const inDoubt = doubtful.filter((task) => task.row);
    partition.isResetting = true;
    partition.inFlight = [];
    partition.backlog = tasks.filter((task) => !inDoubt.includes(task));
    partition.backlog.forEach(forget);
    const fates = await this.readBack(partition, inDoubt);
    partition.isResetting = false;
    if (fates === undefined) {
      const reason = unavailable('The log cannot be reached; it may or may not have been carried out.');
      for (const task of inDoubt) task.reject(reason);
      partition.backlog.splice(0).forEach(moveOn);
      return;
    }
    const there = inDoubt.filter((task) => fates.get(task) === 'stored');
    if (there.length > 0) this.options.publish(there.map((task) => task.row!));
    there.forEach(answer);
    const isOpen = (task: Task) => fates.get(task) === 'displaced' || !task.isInDoubt;
    const left = inDoubt.filter((task) => fates.get(task) !== 'stored');
    const refused = left.filter((task) => !isOpen(task));
    for (const task of refused) task.reject(unavailable('The log could not store it.'));
    if (refused.length > 0) this.options.mayCome(partition);
    this.decideAgain(partition, [...partition.backlog.splice(0), ...left.filter(isOpen)], refused);
  }

  private decideAgain(partition: Partition, tasks: Task[], refused: Task[]): void {
    tasks.forEach(forget);
    const { late, left } = partLate(tasks, this.options.clock.monotonic(), refused);
    late.forEach(refuseLate);
    left.sort((a, b) => a.sequence - b.sequence);
    this.options.retry(partition, left);
  }

  /**
   * What became of these tasks' rows; also moves the partition to the tail, or loses it to a higher term. Undefined when
   * the partition was lost before the log could be read.
   */
  private async readBack(partition: Partition, inDoubt: Task[]): Promise<Map<Task, Fate> | undefined> {
    for (;;) {
      const tail = await this.tail(partition);
      if (tail === undefined) return undefined;
      if (tail instanceof LogBroken) {
        this.options.lose(partition, tail);
        return undefined;
      }
      const found = await this.readRows(partition, inDoubt);
      if (found === undefined && partition.isLost) return undefined;
      // Beyond the tail is what came after it was read: it is not projected yet.
      if (found === undefined || found.some(({ position }) => position > tail.position)) continue;
      if (tail.term > partition.term) this.options.lose(partition);
      partition.position = partition.committed = tail.position;
      return fatesOf(inDoubt, new Map(found.map(({ position, event }) => [position, event])));
    }
  }

  /** What stands where these rows were to be; undefined when it could not be read. */
  private async readRows(partition: Partition, inDoubt: Task[]) {
    const first = inDoubt[0]?.row;
    if (!first) return [];
    try {
      return await this.options.store.read(partition.number, first.position - 1, inDoubt.length);
    } catch (error) {
      this.options.onUnread?.(error);
      this.refuseLate();
      await this.options.clock.sleep(REREAD_MS);
      return undefined;
    }
  }

  /** The end of the log, once it can be read; undefined when the partition is lost before that. */
  private async tail(partition: Partition): Promise<Tail | LogBroken | undefined> {
    for (;;) {
      const tail = await this.tailNow(partition);
      if (tail !== undefined || partition.isLost) return tail;
      this.refuseLate();
      await this.options.clock.sleep(REREAD_MS);
    }
  }

  /**
   * The end of the log; undefined when it could not be read. Each partition asks for itself, so that one which cannot be
   * read holds up no other, and a few at a time: a log that has just come back is not to be swamped.
   */
  async tailNow(partition: Partition): Promise<Tail | LogBroken | undefined> {
    await this.turns.take();
    try {
      return (await this.options.store.catchUp([partition.number])).get(partition.number)!;
    } catch (error) {
      this.options.onUnread?.(error);
      return undefined;
    } finally {
      this.turns.give();
    }
  }

  /** Who does not wait any longer holds no place. */
  private refuseLate(): void {
    for (const partition of this.underWay.keys()) {
      const { late, left } = partLate(partition.backlog, this.options.clock.monotonic());
      partition.backlog = left;
      late.forEach(refuseLate);
    }
  }
}

/** Lets so many through at once, in the order of coming. */
class Turns {
  private readonly waiting: (() => void)[] = [];

  constructor(private free: number) {}

  async take(): Promise<void> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  give(): void {
    const next = this.waiting.shift();
    if (next) next();
    else this.free += 1;
  }
}

/**
 * Of the rows whose place is taken, and of those behind a displaced one: an append ends before the first row that is kept
 * out, and no repetition of it comes further.
 */
function fatesOf(inDoubt: Task[], events: Map<number, string>): Map<Task, Fate> {
  const fates = new Map<Task, Fate>();
  let isDisplaced = false;
  for (const task of inDoubt) {
    const found = events.get(task.row!.position);
    isDisplaced ||= found !== undefined && found !== task.row!.event;
    if (isDisplaced) fates.set(task, 'displaced');
    else if (found !== undefined) fates.set(task, 'stored');
  }
  return fates;
}
