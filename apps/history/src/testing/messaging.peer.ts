import { randomUUID } from 'node:crypto';
import { Broker, BrokerStrategy, ControlInbox, Membership, Publisher, Requester } from '@parley/broker';
import { envelopes, laneOf, type LogEvent, PARTITIONS, partitionOf, type QueryData } from '@parley/contracts';
import { getLogger } from '@parley/service';
import { LogWriter } from './log';

/** What history sees of messaging: events of a log, and answers about it. Speaks over a real broker. Specs only. */
export class MessagingPeer {
  log = new LogWriter();
  epoch = 'epoch-1';
  /** Membership questions heard so far. */
  asked: QueryData<'messaging.membership'>[] = [];
  readonly requester: Requester;
  readonly broker: Broker;
  private readonly membership: Membership;
  private readonly publisher: Publisher;
  private published = new Map<number, number>();

  private constructor(url: string) {
    const logger = getLogger('Peer');
    this.broker = new Broker({ url, service: 'messaging', instanceId: `messaging-${randomUUID()}`, logger });
    const control = new ControlInbox(this.broker);
    this.membership = new Membership(this.broker, control);
    this.requester = new Requester(this.broker, control);
    this.publisher = new Publisher(this.broker);
    const strategy = new BrokerStrategy(this.broker, { queries: true });
    strategy.addHandler('messaging.epoch', async () => ({ epoch: this.epoch, partitions: PARTITIONS }));
    strategy.addHandler('messaging.replay', async (data) =>
      this.replay(data as QueryData<'messaging.replay'>),
    );
    strategy.addHandler('messaging.membership', async (data) =>
      this.memberships(data as QueryData<'messaging.membership'>),
    );
    strategy.addHandler('messaging.account', async (data) =>
      this.account(data as QueryData<'messaging.account'>),
    );
    strategy.listen(() => undefined);
    this.membership.start();
  }

  static async start(url: string): Promise<MessagingPeer> {
    const peer = new MessagingPeer(url);
    await peer.broker.whenConnected();
    return peer;
  }

  /** Tells everything that was written since the last call. */
  publish(): void {
    for (const part of this.log.after(this.published)) {
      const envelope = { v: envelopes.events.written, epoch: this.epoch, partitions: [part] };
      this.publisher.events(laneOf(part.partition), JSON.stringify(envelope));
      this.published.set(part.partition, this.log.rows.get(part.partition)?.length ?? 0);
    }
  }

  /** Tells nobody what was written since the last call. */
  skip(): void {
    for (const [partition, rows] of this.log.rows) this.published.set(partition, rows.length);
  }

  /** Writes a broken event of a conversation, as a bug of messaging would. */
  breakEvent(conversationId: string, event: object): void {
    const rows = this.log.rows.get(partitionOf(conversationId)) ?? [];
    rows.push({ position: rows.length + 1, conversationId, ...event } as unknown as LogEvent);
  }

  /** A restore: another log under another epoch. */
  restore(epoch: string): void {
    this.epoch = epoch;
    this.log = new LogWriter();
    this.published = new Map();
  }

  announceHeads(): void {
    const heads = [...this.log.rows].map(([partition, rows]) => [partition, rows.length]);
    this.publisher.heads({ epoch: this.epoch, heads: Object.fromEntries(heads) });
  }

  async stop(): Promise<void> {
    this.membership.leave();
    this.requester.stop();
    await this.broker.stop();
  }

  private replay({ partition, after, limit }: QueryData<'messaging.replay'>) {
    const rows = this.log.rows.get(partition) ?? [];
    return { epoch: this.epoch, head: rows.length, rows: rows.slice(after, after + limit) };
  }

  private memberships(data: QueryData<'messaging.membership'>) {
    this.asked.push(data);
    const memberOf = data.conversationIds.filter((id) => this.log.truth.get(id)?.members.has(data.userId));
    return { memberOf };
  }

  private account({ userId, cursor }: QueryData<'messaging.account'>) {
    const left = [...this.log.truth].filter(([, { members }]) => cursor === null && !members.has(userId));
    const changes = left.map(([conversationId]) => ({ state: 'left', conversationId }));
    return { cursor: 'cursor-2', more: false, changes };
  }
}
