import { Moved } from '@parley/broker';
import type { CommandData, CommandName } from '@parley/contracts';
import { ParleyError } from '@parley/contracts';
import { toHead } from '../../conversation/conversation.state';
import { Loader } from '../../log/loader';
import type { LogRow, MessageRef, Place, Shortfall } from '../../log/log.store';
import { LogStore } from '../../log/log.store';
import { LogOwner } from '../../log/owner';
import type { MemoryLog } from './simulated.store';
import type { Chance, VirtualTime } from './virtual-time';

export interface Faults {
  /** Of an append: its answer is lost, whether or not it was stored. */
  unknown: number;
  /** Of a read: it fails. */
  readFails: number;
  /** Of an append to a torn log: its server dies amid it. */
  tears: number;
  /** Of an append to a torn log: what it stored is not projected. */
  unprojected: number;
  happened(fault: 'expired' | 'tears' | 'unprojected'): void;
}

/** What a run knows of an instance and what an instance tells a run. */
export interface Surroundings {
  Owner: typeof LogOwner;
  newId(): string;
  publish(rows: LogRow[]): void;
  /** Rows are given to the log. */
  appends(rows: LogRow[]): void;
  isLeaseValid(partition: number): boolean;
  /** A command has arrived, for which its asker waits until then. */
  arrived(name: CommandName, data: CommandData<CommandName>, until: number): void;
}

/** Of any two wall clocks; nothing but what people are shown rests on them. */
const SKEW_MS = 800;

/** The log as one instance reaches it: slow, and at times without an answer. What a dead instance asked may still happen. */
class RemoteLog extends LogStore {
  constructor(
    private readonly log: MemoryLog,
    private readonly instance: Instance,
    private readonly time: VirtualTime,
    private readonly chance: Chance,
    private readonly faults: Faults,
    private readonly given: (rows: LogRow[]) => void,
  ) {
    super();
  }

  override async append(rows: LogRow[]): Promise<Map<number, Shortfall>> {
    this.given(rows);
    const copy = structuredClone(rows);
    await this.time.sleep(1 + this.chance.below(20));
    if (this.chance.is(this.faults.unknown)) {
      const lateMs = this.chance.below(120);
      if (this.chance.is(0.4)) await quietly(() => this.write(copy));
      else if (this.chance.is(0.5)) this.time.after(lateMs, () => void quietly(() => this.write(copy)));
      await this.instance.awake();
      throw new Error('the connection was lost');
    }
    try {
      return await this.write(copy);
    } finally {
      await this.time.sleep(this.chance.below(3));
      await this.instance.awake();
    }
  }

  private write(rows: LogRow[]): Promise<Map<number, Shortfall>> {
    return this.log.kind === 'whole' ? this.log.append(rows) : this.writeInPieces(rows);
  }

  /**
   * Row after row, while others write too. The server may die amid it, or this instance freeze or die before it projects;
   * then somebody else finds the rows.
   */
  private async writeInPieces(rows: LogRow[]): Promise<Map<number, Shortfall>> {
    const end = this.chance.is(this.faults.tears) ? this.chance.below(rows.length) : rows.length;
    const counts = new Map<number, number>();
    const shortfalls = new Map<number, Shortfall>();
    const stored: LogRow[] = [];
    for (const [i, row] of rows.entries()) {
      if (i === end) {
        this.faults.happened('tears');
        throw new Error('the server died');
      }
      if (shortfalls.has(row.partition)) continue;
      if (this.chance.is(0.05)) await this.time.sleep(this.chance.below(40));
      const reason = this.log.insert(row);
      const count = counts.get(row.partition) ?? 0;
      if (reason) shortfalls.set(row.partition, { stored: count, reason });
      else stored.push(row);
      counts.set(row.partition, reason ? count : count + 1);
    }
    await this.time.sleep(this.chance.below(3));
    await this.instance.awake();
    if (this.chance.is(this.faults.unprojected)) {
      this.faults.happened('unprojected');
      throw new Error('the projection cannot be reached');
    }
    this.log.project(stored);
    return shortfalls;
  }

  override catchUp(partitions: number[]) {
    return this.readOnce(() => this.log.catchUp(partitions));
  }
  override positions(partitions: number[]) {
    return this.readOnce(() => this.log.positions(partitions));
  }
  override readAt(places: Place[]) {
    return this.readOnce(() => this.log.readAt(places));
  }
  override read(partition: number, after: number, limit: number) {
    return this.readOnce(() => this.log.read(partition, after, limit));
  }
  override async conversations(ids: string[]): ReturnType<LogStore['conversations']> {
    const found = await this.readOnce(() => this.log.conversations(ids));
    // As if they had many members, which are read after them, while others write.
    const areLarge = this.chance.is(0.3);
    return areLarge
      ? new Map([...found].map(([id, state]) => [id, 'members' in state ? toHead(state) : state]))
      : found;
  }
  override members(ids: string[], limit: number, after?: string) {
    return this.readOnce(() => this.log.members(ids, limit, after));
  }
  override messages(wanted: MessageRef[]) {
    return this.readOnce(() => this.log.messages(wanted));
  }
  override messageIdOf(conversationId: string, senderId: string, clientMessageId: string) {
    return this.readOnce(() => this.log.messageIdOf(conversationId, senderId, clientMessageId));
  }

  private async readOnce<T>(read: () => Promise<T>): Promise<T> {
    await this.time.sleep(1 + this.chance.below(5));
    if (this.chance.is(this.faults.readFails)) throw new Error('the connection was lost');
    const result = await read();
    await this.time.sleep(this.chance.below(5));
    await this.instance.awake();
    return result;
  }
}

async function quietly(run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
  } catch {
    // Nobody waits for its answer.
  }
}

/** One instance of messaging: it can freeze and wake up with all its beliefs, or die. */
export class Instance {
  readonly owner: LogOwner;
  readonly terms = new Map<number, number>();
  isDead = false;
  frozenUntil = 0;

  constructor(
    readonly name: string,
    log: MemoryLog,
    private readonly time: VirtualTime,
    chance: Chance,
    private readonly faults: Faults,
    private readonly options: Surroundings,
  ) {
    const skewMs = chance.below(SKEW_MS);
    const store = new RemoteLog(log, this, time, chance, faults, options.appends);
    this.owner = new options.Owner({
      store,
      loader: new Loader(store),
      clock: {
        monotonic: () => time.now,
        now: () => new Date(1_800_000_000_000 + time.now + skewMs).toISOString(),
        sleep: (ms) => time.sleep(ms),
      },
      newId: options.newId,
      hash: (command, data) => JSON.stringify([command, data]),
      isLeaseValid: options.isLeaseValid,
      publish: (rows) => {
        if (!this.isDead) options.publish(rows);
      },
      onLost: (partition) => this.terms.delete(partition),
      // Of some nothing stays in memory that may go.
      conversationBytesMax: chance.is(0.5) ? 1 : undefined,
    });
  }

  /** Resolves when the instance runs; never, when it is dead. */
  awake(): Promise<void> {
    if (this.isDead) return new Promise(() => undefined);
    if (this.time.now >= this.frozenUntil) return Promise.resolve();
    return this.time.sleep(this.frozenUntil - this.time.now).then(() => this.awake());
  }

  async submit(
    name: CommandName,
    data: CommandData<CommandName>,
    partition: number,
    term: number,
    timeLeftMs: number,
  ): Promise<object> {
    await this.awake();
    if (!this.terms.has(partition)) throw new Moved();
    const expiresAt = this.time.now + timeLeftMs;
    this.options.arrived(name, data, expiresAt);
    try {
      return await this.owner.submit(name, data, { partition, term, expiresAt });
    } catch (error) {
      const isLate = error instanceof ParleyError && error.message === 'The command waited too long.';
      if (isLate) this.faults.happened('expired');
      throw error;
    }
  }
}
