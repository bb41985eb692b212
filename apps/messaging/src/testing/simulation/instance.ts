import { Moved } from '@parley/broker';
import type { CommandData, CommandName } from '@parley/contracts';
import { Loader } from '../../log/loader';
import type { LogRow } from '../../log/log.store';
import { LogStore } from '../../log/log.store';
import { LogOwner } from '../../log/owner';
import type { Chance, VirtualTime } from './virtual-time';

export interface Faults {
  /** Of an append: its answer is lost, whether or not it was stored. */
  unknown: number;
  /** Of a read: it fails. */
  readFails: number;
}

/** The log as one instance reaches it: slow, and at times without an answer. What a dead instance asked may still happen. */
class RemoteLog extends LogStore {
  constructor(
    private readonly log: LogStore,
    private readonly instance: Instance,
    private readonly time: VirtualTime,
    private readonly chance: Chance,
    private readonly faults: Faults,
  ) {
    super();
  }

  override async append(rows: LogRow[]): Promise<void> {
    const copy = structuredClone(rows);
    await this.time.sleep(1 + this.chance.below(20));
    if (this.chance.is(this.faults.unknown)) {
      const lateMs = this.chance.below(120);
      if (this.chance.is(0.4)) await this.log.append(copy);
      else if (this.chance.is(0.5)) this.time.after(lateMs, () => void quietly(() => this.log.append(copy)));
      await this.instance.awake();
      throw new Error('the connection was lost');
    }
    try {
      await this.log.append(copy);
    } finally {
      await this.time.sleep(this.chance.below(3));
      await this.instance.awake();
    }
  }

  override tails(partitions: number[]) {
    return this.readOnce(() => this.log.tails(partitions));
  }
  override read(partition: number, after: number, limit: number) {
    return this.readOnce(() => this.log.read(partition, after, limit));
  }
  override conversations(ids: string[]) {
    return this.readOnce(() => this.log.conversations(ids));
  }
  override messages(ids: string[]) {
    return this.readOnce(() => this.log.messages(ids));
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

async function quietly(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch {
    // A late append that meets another row is refused; nobody waits for its answer any more.
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
    log: LogStore,
    private readonly time: VirtualTime,
    chance: Chance,
    faults: Faults,
    options: { newId(): string; publish(rows: LogRow[]): void; isLeaseValid(partition: number): boolean },
  ) {
    const store = new RemoteLog(log, this, time, chance, faults);
    this.owner = new LogOwner({
      store,
      loader: new Loader(store),
      clock: {
        monotonic: () => time.now,
        now: () => new Date(1_800_000_000_000 + time.now).toISOString(),
        sleep: (ms) => time.sleep(ms),
      },
      newId: options.newId,
      hash: (command, data) => JSON.stringify([command, data]),
      isLeaseValid: options.isLeaseValid,
      publish: (rows) => {
        if (!this.isDead) options.publish(rows);
      },
      onLost: (partition) => this.terms.delete(partition),
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
  ): Promise<object> {
    await this.awake();
    if (!this.terms.has(partition)) throw new Moved();
    return this.owner.submit(name, data, { partition, term, arrivedAt: this.time.now });
  }
}
