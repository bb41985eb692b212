import { setTimeout as sleep } from 'node:timers/promises';
import type { OnModuleDestroy } from '@nestjs/common';
import { Inject, Injectable } from '@nestjs/common';
import { Broker, Membership, Publisher, ControlInbox } from '@parley/broker';
import type { OwnerAnnouncement } from '@parley/broker';
import { controlKeys } from '@parley/contracts';
import { getLogger } from '@parley/service';
import { v7 } from 'uuid';
import { Deployment } from './deployment';
import { LeaseStore } from './lease.store';
import { LeaseKeeper, type Unserved } from './leases';
import { Loader } from './loader';
import {
  appendsInDoubt,
  conversationsRead,
  observeCommit,
  observeMemory,
  observeOwnership,
  partitionStops,
  readsFailed,
} from './log.metrics';
import { LogPublisher } from './log.publisher';
import { LogBroken, LogStore } from './log.store';
import { LogOwner } from './owner';
import { requestHasher } from './request-hash';

const log = getLogger('Log');
/** Heads are announced again this long after a takeover: consumers fetch what two announcements found missing. */
const REPEAT_HEADS_MS = 300;
/** An instance without the broker for longer than this gives its partitions up. */
const CUT_OFF_MS = 1000;

/** Everything that one instance runs to own partitions: leases, owner, committer, publisher. */
@Injectable()
export class LogRuntime implements OnModuleDestroy {
  readonly owner: LogOwner;
  private readonly leases: LeaseKeeper;
  private readonly events: LogPublisher;
  /** By the monotonic clock; infinite while the broker is there. */
  private unreachableAt = Infinity;

  constructor(
    @Inject(LogStore) store: LogStore,
    @Inject(LeaseStore) leaseStore: LeaseStore,
    @Inject(Deployment) deployment: Deployment,
    @Inject(Broker) private readonly broker: Broker,
    @Inject(Membership) private readonly membership: Membership,
    @Inject(Publisher) private readonly publisher: Publisher,
    @Inject(ControlInbox) control: ControlInbox,
  ) {
    const monotonic = () => performance.now();
    this.events = new LogPublisher(publisher, deployment.epoch, () => this.owner.heads());
    this.owner = new LogOwner({
      store,
      loader: new Loader(store),
      clock: { monotonic, now: wallClock(), sleep },
      newId: v7,
      hash: requestHasher(deployment.requestKey),
      isLeaseValid: (partition) => this.leases.isValid(partition),
      publish: (rows, spans) => this.events.publish(rows, spans),
      onLost: (partition, term, reason) => this.lose(partition, term, reason),
      onCommit: observeCommit,
      onDoubt: (error) => {
        appendsInDoubt.inc();
        log.warn({ err: error }, 'The log did not say whether it stored what was appended.');
      },
      onRead: () => conversationsRead.inc(),
      onUnread: (error) => {
        readsFailed.inc();
        // Of a store that is away there are hundreds a second.
        log.debug({ err: error }, 'The log could not be read.');
      },
    });
    this.leases = new LeaseKeeper({
      store: leaseStore,
      instanceId: broker.options.instanceId,
      instances: () => membership.instances('messaging'),
      heardAt: (instance) => membership.heardAt('messaging', instance),
      isReachable: () => performance.now() < this.unreachableAt,
      monotonic,
      open: (terms) => this.open(terms),
      close: (partition) => this.owner.close(partition),
      drop: (partition) => this.owner.drop(partition),
      announce: (open, closing) => this.announce(open, closing),
      released: (partitions) => this.announce(new Map(), new Map(), partitions),
      warn: (details, message) => log.warn(details, message),
    });
    control.on(controlKeys.owner, (body) => {
      const { released, instanceId } = body as OwnerAnnouncement;
      if (released && instanceId !== broker.options.instanceId) this.leases.look();
    });
    observeOwnership(() => this.leases.partitions().length);
    observeMemory(() => this.owner.memory());
  }

  start(): void {
    this.events.start();
    this.leases.start();
    this.membership.onChange('messaging', () => this.leases.look());
    // A newcomer asks nobody: it is told.
    this.membership.onNewcomer(() => this.leases.announce());
    this.broker.on('disconnected', () => (this.unreachableAt = performance.now() + CUT_OFF_MS));
    this.broker.on('connected', () => {
      this.unreachableAt = Infinity;
      this.leases.announce();
      this.leases.look();
    });
  }

  /** Hands the partitions over in order, while the broker is still there to say so. */
  async onModuleDestroy(): Promise<void> {
    this.membership.leave();
    await this.leases.stop();
    this.events.stop();
  }

  /** Answers the partitions that are not served. */
  private async open(terms: Map<number, number>): Promise<Unserved[]> {
    const unserved = await this.owner.open(terms);
    for (const reason of unserved.values()) if (reason instanceof LogBroken) this.stop(reason);
    const unread = [...unserved].filter(([, reason]) => !(reason instanceof LogBroken));
    if (unread.length > 0) {
      const details = { err: unread[0]![1], partitions: unread.map(([partition]) => partition) };
      log.warn(details, 'Partitions are not served yet: their log could not be read.');
    }
    this.events.announceHeads();
    setTimeout(() => this.events.announceHeads(), REPEAT_HEADS_MS).unref();
    log.info({ partitions: terms.size - unserved.size }, 'Partitions are owned by this instance.');
    return [...unserved].map(([partition, reason]) => ({
      partition,
      isStopped: reason instanceof LogBroken,
    }));
  }

  private lose(partition: number, term: number, reason?: LogBroken): void {
    this.leases.lost(partition, term, reason !== undefined);
    if (reason) this.stop(reason);
    else log.warn({ partition, term }, 'A higher term has written; this one is over.');
  }

  private stop(reason: LogBroken): void {
    partitionStops.inc();
    log.error({ err: reason, partition: reason.partition }, 'The partition is stopped: its log lacks a row.');
  }

  private announce(open: Map<number, number>, closing: Map<number, number>, released?: number[]): void {
    this.publisher.owner({
      instanceId: this.broker.options.instanceId,
      open: Object.fromEntries(open),
      closing: Object.fromEntries(closing),
      ...(released && { released }),
    });
  }
}

/** The time of day as text, made once per millisecond. */
function wallClock(): () => string {
  let at = 0;
  let text = '';
  return () => {
    const now = Date.now();
    if (now !== at) text = new Date((at = now)).toISOString();
    return text;
  };
}
