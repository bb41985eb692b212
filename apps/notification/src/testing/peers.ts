import { randomUUID } from 'node:crypto';
import { Broker, BrokerStrategy, ControlInbox, Membership, Publisher, type Serves } from '@parley/broker';
import {
  envelopes,
  exchanges,
  laneOf,
  type Notification,
  PARTITIONS,
  type QueryData,
  queues,
  type ServiceName,
  type UserEvent,
} from '@parley/contracts';
import { getLogger } from '@parley/service';
import { LogWriter } from './log';

/** One neighbour of notification on a real broker. Specs only. */
class Peer {
  readonly publisher: Publisher;
  protected readonly strategy: BrokerStrategy;
  readonly broker: Broker;
  private readonly membership: Membership;

  constructor(url: string, service: ServiceName, serves: (instanceId: string) => Serves) {
    const instanceId = `${service}-${randomUUID()}`;
    this.broker = new Broker({ url, service, instanceId, logger: getLogger('Peer') });
    this.membership = new Membership(this.broker, new ControlInbox(this.broker));
    this.publisher = new Publisher(this.broker);
    this.strategy = new BrokerStrategy(this.broker, serves(instanceId));
  }

  async start(): Promise<this> {
    this.strategy.listen(() => undefined);
    this.membership.start();
    await this.broker.whenConnected();
    return this;
  }

  async stop(): Promise<void> {
    this.membership.leave();
    await this.broker.stop();
  }
}

/** Answers about the log, and tells its rows. */
export class MessagingPeer extends Peer {
  log = new LogWriter();
  epoch = 'epoch-1';
  private told = new Map<number, number>();

  constructor(url: string) {
    super(url, 'messaging', () => ({ queries: true }));
    this.strategy.addHandler('messaging.epoch', async () => ({ epoch: this.epoch, partitions: PARTITIONS }));
    this.strategy.addHandler('messaging.replay', async (data) => {
      const { partition, after, limit } = data as QueryData<'messaging.replay'>;
      const rows = this.log.rows.get(partition) ?? [];
      return { epoch: this.epoch, head: rows.length, rows: rows.slice(after, after + limit) };
    });
  }

  /** Tells everything that was written since the last call. */
  publish(): void {
    for (const part of this.log.after(this.told)) {
      const envelope = { v: envelopes.events.written, epoch: this.epoch, partitions: [part] };
      this.publisher.events(laneOf(part.partition), JSON.stringify(envelope));
    }
    this.skip();
  }

  /** Tells nobody what was written since the last call. */
  skip(): void {
    for (const [partition, rows] of this.log.rows) this.told.set(partition, rows.length);
  }

  /** Tells everything once more. */
  repeat(): void {
    this.told = new Map();
    this.publish();
  }

  announceHeads(): void {
    const heads = Object.fromEntries([...this.log.rows].map(([partition, rows]) => [partition, rows.length]));
    this.publisher.heads({ epoch: this.epoch, heads });
  }
}

/** Answers who is connected; everybody else is offline and was never seen. */
export class PresencePeer extends Peer {
  readonly connected = new Set<string>();
  readonly lastSeenAt = new Map<string, string>();
  /** The ids of each question so far. */
  readonly asked: string[][] = [];
  /** Given, it is what questions meet instead of an answer. */
  trouble?: () => Promise<never>;

  constructor(url: string) {
    super(url, 'presence', () => ({ queries: true }));
    this.strategy.addHandler('presence.get', async (data) => {
      const { userIds } = data as QueryData<'presence.get'>;
      this.asked.push(userIds);
      if (this.trouble) await this.trouble();
      return {
        items: userIds.map((userId) => ({
          userId,
          status: this.connected.has(userId) ? 'online' : 'offline',
          lastSeenAt: this.lastSeenAt.get(userId) ?? null,
        })),
      };
    });
  }
}

/** Hears what is pushed to sockets. */
export class RealtimePeer extends Peer {
  readonly heard: { userId: string; notification: Notification }[] = [];
  private waiting: (() => void)[] = [];

  constructor(url: string) {
    super(url, 'realtime', (id) => ({
      subscriptions: [{ exchange: 'users', queue: queues.inbox('realtime', id), keys: [''] }],
    }));
    this.strategy.addHandler(exchanges.users.name, async (body) => this.hear(body as UserEvent), true);
  }

  heardOf(userId: string): Notification[] {
    return this.heard.filter((one) => one.userId === userId).map((one) => one.notification);
  }

  /** Resolves once the user was told of the message. */
  async until(userId: string, messageId: string): Promise<Notification> {
    for (;;) {
      const found = this.heardOf(userId).find((notification) => notification.messageId === messageId);
      if (found) return found;
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  private hear(event: UserEvent): void {
    if (event.kind !== 'notification.created') return;
    this.heard.push({ userId: event.userId, notification: event.notification as Notification });
    for (const wake of this.waiting.splice(0)) wake();
  }
}
