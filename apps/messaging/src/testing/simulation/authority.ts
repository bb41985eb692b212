import type { Instance } from './instance';
import type { Chance, VirtualTime } from './virtual-time';

interface Lease {
  term: number;
  holder?: Instance;
  until: number;
}

const LEASE_MS = 1500;
const ROUND_MS = 250;

/** The leases in the database: a frozen or dead instance stops renewing, and another one takes over under a new term. */
export class Authority {
  private readonly leases = new Map<number, Lease>();

  constructor(
    private readonly time: VirtualTime,
    private readonly chance: Chance,
    private readonly partitions: number[],
    private readonly instances: () => Instance[],
  ) {
    for (const partition of partitions) this.leases.set(partition, { term: 0, until: -1 });
  }

  start(isOver: () => boolean): void {
    this.time.every(ROUND_MS, isOver, () => void this.round());
  }

  /** Whom senders believe to be the owner. */
  holder(partition: number): { instance: Instance; term: number } | undefined {
    const lease = this.leases.get(partition)!;
    return lease.holder && { instance: lease.holder, term: lease.term };
  }

  isValid(instance: Instance, partition: number): boolean {
    const lease = this.leases.get(partition)!;
    return (
      lease.holder === instance && lease.until > this.time.now && instance.terms.get(partition) === lease.term
    );
  }

  private async round(): Promise<void> {
    for (const partition of this.partitions) {
      const lease = this.leases.get(partition)!;
      for (const instance of this.instances()) this.tellTheTruth(instance, partition, lease);
      const { holder } = lease;
      const isRenewing =
        holder && !holder.isDead && this.time.now >= holder.frozenUntil && holder.terms.has(partition);
      if (isRenewing && !this.chance.is(0.02)) lease.until = this.time.now + LEASE_MS;
      else if (isRenewing) this.handOver(partition, lease);
      else if (lease.until < this.time.now) await this.take(partition, lease);
    }
  }

  /** An instance that is awake learns from its renewal that a term is over. */
  private tellTheTruth(instance: Instance, partition: number, lease: Lease): void {
    if (instance.isDead || this.time.now < instance.frozenUntil || lease.holder === instance) return;
    // Not at once: for a moment there are two owners, and both commit.
    if (!instance.terms.has(partition) || this.chance.is(0.5)) return;
    instance.terms.delete(partition);
    instance.owner.drop(partition);
  }

  private handOver(partition: number, lease: Lease): void {
    const { holder } = lease;
    void holder?.owner.close(partition).then(() => {
      holder.terms.delete(partition);
      if (lease.holder === holder) lease.until = -1;
    });
  }

  private async take(partition: number, lease: Lease): Promise<void> {
    const awake = this.instances().filter((each) => !each.isDead && this.time.now >= each.frozenUntil);
    if (awake.length === 0) return;
    const next = this.chance.pick(awake);
    lease.term += 1;
    lease.holder = next;
    lease.until = this.time.now + LEASE_MS;
    const { term } = lease;
    next.terms.delete(partition);
    next.owner.drop(partition);
    const unserved = await next.owner.open(new Map([[partition, term]]));
    if (unserved.size > 0)
      lease.until = -1; // It could not read the tail; somebody takes it in the next round.
    else if (lease.term === term && !next.isDead) next.terms.set(partition, term);
  }
}
