import { assign } from '@parley/broker';
import { PARTITIONS } from '@parley/contracts';
import type { Lease, LeaseStore } from './lease.store';
import { LEASE_MS } from './lease.store';

export interface Unserved {
  partition: number;
  isStopped: boolean;
}

export interface LeaseKeeperOptions {
  store: LeaseStore;
  instanceId: string;
  /** Whether commands can reach this instance: one that is cut off from the broker lets others take over. */
  isReachable(): boolean;
  /** The instances of messaging that are there, this one included. */
  instances(): string[];
  /** When another was last heard, by `monotonic`. */
  heardAt(instance: string): number;
  monotonic(): number;
  /** Begins terms; answers the partitions that it does not serve: `isStopped`, for a reason that time alone does not cure. */
  open(terms: Map<number, number>): Promise<Unserved[]>;
  /** The term is over, in order: resolves when everything taken is answered. */
  close(partition: number): Promise<void>;
  /** The term is over, at once. */
  drop(partition: number): void;
  /** Which terms commands may be sent to, and which are about to end. */
  announce(open: Map<number, number>, closing: Map<number, number>): void;
  /** These are free: whoever wants them should look now. */
  released(partitions: number[]): void;
  warn(details: object, message: string): void;
}

const RENEW_MS = 500;
/** An own lease counts as over this long before the database says so. */
const MARGIN_MS = 200;
/** How long commands that were sent before `closing` was heard are still taken. */
const CLOSING_MS = 150;
const ANNOUNCE_MS = 1000;
/** A lease that is not renewed is looked at this long after its end. */
const AFTER_END_MS = 5;
/** A partition that could not be served is looked at again after this long. */
const STOPPED_MS = 10_000;
/** One whose log could not be read twice in a row, after this long: until then the others are begun without it. */
const UNREAD_MS = 1000;

interface Held {
  term: number;
  /** By the own monotonic clock. */
  validUntil: number;
  /** It has begun: commands may be sent to it. Until then the lease is renewed, however long beginning takes. */
  isOpen: boolean;
}

/**
 * Holds the leases of the partitions for which this instance ranks first. An instance whose leases have run out counts
 * as gone until it renews one, so that a crash is taken over within a lease. Partitions that rank elsewhere are handed
 * over in order: announced as closing, drained, committed, released.
 */
export class LeaseKeeper {
  private readonly held = new Map<number, Held>();
  private readonly closing = new Map<number, number>();
  /** Instances that let their leases run out, and since when that is known. */
  private readonly gone = new Map<string, number>();
  /** Partitions that could not be served, and until when they are left alone. */
  private readonly stoppedUntil = new Map<number, number>();
  /** Those whose log could not be read when it was last tried. */
  private readonly unread = new Set<number>();
  private timer?: NodeJS.Timeout;
  private announcer?: NodeJS.Timeout;
  private foreignEnd?: NodeJS.Timeout;
  private round?: Promise<void>;
  private opening?: Promise<void>;
  /** Others came free while terms were begun. */
  private isLeft = false;
  private again = false;
  private stopped = false;

  constructor(private readonly options: LeaseKeeperOptions) {}

  start(): void {
    this.timer = setInterval(() => this.look(), RENEW_MS);
    this.announcer = setInterval(() => this.announce(), ANNOUNCE_MS);
    this.look();
  }

  /** Hands everything over in order. */
  async stop(): Promise<void> {
    this.stopped = true;
    clearInterval(this.announcer);
    clearTimeout(this.foreignEnd);
    await this.round;
    await this.opening;
    await this.handOver([...this.held.keys()]);
    clearInterval(this.timer);
    await this.round;
  }

  isValid(partition: number): boolean {
    return (this.held.get(partition)?.validUntil ?? 0) > this.options.monotonic();
  }

  partitions(): number[] {
    return [...this.held].filter(([, { isOpen }]) => isOpen).map(([partition]) => partition);
  }

  /** A term turned out to be over; with `isStopped`, the partition is left alone for a while. */
  lost(partition: number, term: number, isStopped: boolean): void {
    if (this.held.get(partition)?.term !== term) return;
    this.forget(partition, term);
    if (isStopped) this.stoppedUntil.set(partition, this.options.monotonic() + STOPPED_MS);
  }

  /** Looks at the leases now; asked again while looking, it looks once more. */
  look(): void {
    if (this.round) {
      this.again = true;
      return;
    }
    this.round = this.runRound()
      .catch((error: unknown) => this.options.warn({ err: error }, 'leases: cannot reach the database'))
      .finally(() => {
        this.dropExpired();
        this.round = undefined;
        if (this.again) {
          this.again = false;
          this.look();
        }
      });
  }

  announce(): void {
    const open = new Map<number, number>();
    for (const [partition, { term, isOpen }] of this.held)
      if (isOpen && !this.closing.has(partition)) open.set(partition, term);
    this.options.announce(open, this.closing);
  }

  private async runRound(): Promise<void> {
    await this.renew();
    if (this.stopped) return;
    if (!this.options.isReachable()) {
      void this.handOver([...this.held.keys()].filter((partition) => !this.closing.has(partition)));
      return;
    }
    const leases = await this.options.store.all();
    this.watchForeign(leases);
    const wanted = this.wanted(leases);
    const now = this.options.monotonic();
    const free = leases.filter(
      (lease) =>
        isFree(lease, this.options.instanceId) &&
        !this.held.has(lease.partition) &&
        (this.stoppedUntil.get(lease.partition) ?? 0) < now,
    );
    this.take(free.map((lease) => lease.partition).filter((p) => wanted[p] === this.options.instanceId));
    const foreign = [...this.held.keys()].filter(
      (p) => wanted[p] !== this.options.instanceId && !this.closing.has(p),
    );
    if (foreign.length > 0) void this.handOver(foreign);
  }

  private async renew(): Promise<void> {
    const askedAt = this.options.monotonic();
    const asked = [...this.held];
    const renewed = await this.options.store.renew(asked.map(([partition]) => partition));
    for (const [partition, held] of asked) {
      if (this.held.get(partition) !== held) continue;
      if (renewed.get(partition) === held.term) held.validUntil = askedAt + LEASE_MS - MARGIN_MS;
      else this.end(partition);
    }
  }

  /**
   * Looks again right after the first lease of another ends. A living owner renews it before, and the next round puts this
   * off; a dead one is succeeded at once, while commands that wait for an owner still have time.
   */
  private watchForeign(leases: Lease[]): void {
    clearTimeout(this.foreignEnd);
    const ends = leases.filter(({ partition, endsInMs }) => endsInMs > 0 && !this.held.has(partition));
    if (ends.length === 0 || this.stopped) return;
    const firstMs = Math.min(...ends.map(({ endsInMs }) => endsInMs));
    this.foreignEnd = setTimeout(() => this.look(), firstMs + AFTER_END_MS);
  }

  /** The instance that should own each partition, among those that do renew their leases. */
  private wanted(leases: Lease[]): string[] {
    this.noteGone(leases);
    return assign(
      PARTITIONS,
      this.options.instances().filter((instance) => !this.gone.has(instance)),
    );
  }

  /**
   * Who let a lease run out is gone, also when others have taken all that it had: until it is heard again, or holds a
   * lease. Else it would be given its part back while nobody has noticed yet that it is silent.
   */
  private noteGone(leases: Lease[]): void {
    const { instances, heardAt, instanceId, monotonic } = this.options;
    const present = new Set(instances());
    for (const [instance, since] of this.gone)
      if (!present.has(instance) || heardAt(instance) > since) this.gone.delete(instance);
    for (const { owner, isExpired } of leases)
      if (owner !== null && isExpired && !this.gone.has(owner)) this.gone.set(owner, monotonic());
    for (const { owner, isExpired } of leases) if (owner !== null && !isExpired) this.gone.delete(owner);
    this.gone.delete(instanceId);
  }

  /** Beside the rounds: what is held already is renewed, however long it takes to begin new terms. */
  private take(partitions: number[]): void {
    if (partitions.length === 0) return;
    if (this.opening) {
      this.isLeft = true;
      return;
    }
    this.opening = this.acquire(partitions)
      .catch((error: unknown) => this.options.warn({ err: error }, 'leases: terms could not be begun'))
      .finally(() => {
        this.opening = undefined;
        if (this.isLeft) this.look();
        this.isLeft = false;
      });
  }

  private async acquire(partitions: number[]): Promise<void> {
    const askedAt = this.options.monotonic();
    const got = await this.options.store.acquire(partitions);
    const validUntil = askedAt + LEASE_MS - MARGIN_MS;
    for (const [partition, term] of got) this.held.set(partition, { term, validUntil, isOpen: false });
    const isMine = (partition: number) => this.held.get(partition)?.term === got.get(partition);
    try {
      if (got.size > 0) await this.open(got, isMine);
    } catch (error) {
      for (const partition of [...got.keys()].filter(isMine)) this.end(partition);
      throw error;
    }
  }

  private async open(terms: Map<number, number>, isMine: (partition: number) => boolean): Promise<void> {
    const unserved = await this.options.open(terms);
    const now = this.options.monotonic();
    const wereUnread = [...terms.keys()].filter((partition) => this.unread.delete(partition));
    for (const { partition, isStopped } of unserved) {
      if (isStopped) this.stoppedUntil.set(partition, now + STOPPED_MS);
      else {
        this.unread.add(partition);
        // Trouble of a moment: its commands wait, and whoever wants it looks again at once.
        if (wereUnread.includes(partition)) this.stoppedUntil.set(partition, now + UNREAD_MS);
        else this.isLeft = true;
      }
    }
    const free = unserved.map(({ partition }) => partition).filter(isMine);
    for (const partition of free) this.held.delete(partition);
    await this.release(free);
    for (const partition of terms.keys()) {
      if (isMine(partition)) this.held.get(partition)!.isOpen = true;
      else if (!this.held.has(partition)) this.options.drop(partition);
    }
    this.announce();
  }

  private async handOver(partitions: number[]): Promise<void> {
    const terms = new Map(
      partitions.flatMap((partition) => {
        const held = this.held.get(partition);
        return held?.isOpen ? [[partition, held.term]] : [];
      }),
    );
    if (terms.size === 0) return;
    for (const [partition, term] of terms) this.closing.set(partition, term);
    this.announce();
    await new Promise((resolve) => setTimeout(resolve, CLOSING_MS));
    // Meanwhile a term may be lost, and a new one of this very instance have begun.
    const mine = () => [...terms.keys()].filter((each) => this.held.get(each)?.term === terms.get(each));
    const closed: number[] = [];
    await Promise.all(
      mine().map(async (partition) => {
        await this.options.close(partition);
        closed.push(partition);
        // Those that end together are released together; none waits for one that takes longer.
        await new Promise(setImmediate);
        const held = closed.splice(0).filter((each) => this.held.get(each)?.term === terms.get(each));
        if (held.length === 0) return;
        await this.release(held);
        for (const each of held) this.forget(each, terms.get(each)!);
        this.options.released(held);
      }),
    );
    for (const [partition, term] of terms) this.forget(partition, term);
  }

  private async release(partitions: number[]): Promise<void> {
    try {
      await this.options.store.release(partitions);
    } catch (error) {
      this.options.warn({ err: error }, 'leases: cannot release; they run out');
    }
  }

  private forget(partition: number, term: number): void {
    if (this.held.get(partition)?.term === term) this.held.delete(partition);
    if (this.closing.get(partition) === term) this.closing.delete(partition);
  }

  private dropExpired(): void {
    for (const partition of this.held.keys()) if (!this.isValid(partition)) this.end(partition);
  }

  private end(partition: number): void {
    this.held.delete(partition);
    this.closing.delete(partition);
    this.options.drop(partition);
  }
}

function isFree(lease: Lease, instanceId: string): boolean {
  return lease.owner === null || lease.isExpired || lease.owner === instanceId;
}
