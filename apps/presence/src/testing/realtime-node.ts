import { randomUUID } from 'node:crypto';
import { Broker, BrokerStrategy, ControlInbox, Membership, Publisher, Requester } from '@parley/broker';
import { exchanges, queues, type PresenceEntry } from '@parley/contracts';
import { getLogger } from '@parley/service';

/**
 * What presence sees of a realtime node: its heartbeats, its announcements, and its ear for changes. Specs only.
 */
export class RealtimeNode {
  readonly id: string;
  /** Every change told so far, in order. */
  readonly heard: PresenceEntry[] = [];
  readonly requester: Requester;
  readonly broker: Broker;
  private readonly membership: Membership;
  private readonly publisher: Publisher;
  private sequence = Date.now() * 1000;
  private waiting: (() => void)[] = [];

  private constructor(url: string) {
    this.id = `node-${randomUUID()}`;
    this.broker = new Broker({ url, service: 'realtime', instanceId: this.id, logger: getLogger('Node') });
    const control = new ControlInbox(this.broker);
    this.membership = new Membership(this.broker, control);
    this.publisher = new Publisher(this.broker);
    this.requester = new Requester(this.broker, control);
    const strategy = new BrokerStrategy(this.broker, {
      subscriptions: [{ exchange: 'presence', queue: queues.inbox('realtime', this.id), keys: [''] }],
    });
    strategy.addHandler(exchanges.presence.name, (items) => this.hear(items as PresenceEntry[]), true);
    strategy.listen(() => undefined);
    this.membership.start();
  }

  static async start(url: string): Promise<RealtimeNode> {
    const node = new RealtimeNode(url);
    await node.broker.whenConnected();
    return node;
  }

  /** Tells how many sockets a user has here now. */
  announce(userId: string, sockets: number): void {
    this.sequence += 1;
    this.publisher.connections([{ node: this.id, sequence: this.sequence, userId, sockets }]);
  }

  /** Anything, as a broken node might send it. */
  announceRaw(body: unknown): void {
    this.publisher.connections(body as never);
  }

  /** Resolves once the newest change heard of the user has that status. */
  async until(userId: string, status: PresenceEntry['status']): Promise<PresenceEntry> {
    for (;;) {
      const entry = this.heard.findLast((one) => one.userId === userId);
      if (entry?.status === status) return entry;
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  /** All statuses heard of the user, in order. */
  statusesOf(userId: string): PresenceEntry['status'][] {
    return this.heard.filter((entry) => entry.userId === userId).map((entry) => entry.status);
  }

  /** Falls silent without a word, as a killed process does. */
  async kill(): Promise<void> {
    await this.broker.stop();
    this.membership.leave();
    this.requester.stop();
  }

  /** Says goodbye, as a process does that is told to stop. */
  async leave(): Promise<void> {
    this.membership.leave();
    await this.kill();
  }

  private hear(items: PresenceEntry[]): Promise<void> {
    this.heard.push(...items);
    for (const wake of this.waiting.splice(0)) wake();
    return Promise.resolve();
  }
}
