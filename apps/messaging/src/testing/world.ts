import { randomUUID } from 'node:crypto';
import { Broker, ControlInbox, Membership, Requester } from '@parley/broker';
import type { EventEnvelope, LogEvent } from '@parley/contracts';
import { exchanges } from '@parley/contracts';
import { loadConfig, type RunningService } from '@parley/service';
import { freshDatabase, freshVhost, testKeys, testMongo } from '@parley/testing';
import { v7 } from 'uuid';
import { startMessaging } from '../app';
import { configSchema, storeConfigSchema } from '../config';
import { createdId } from '../conversation/derived-id';
import { migrateStores } from '../store';

const quiet = { info() {}, warn() {}, error() {} };

/** A database and broker of one's own, instances of messaging on them, and somebody who asks and listens. */
export class World {
  readonly alice = v7();
  readonly bob = v7();
  readonly carol = v7();
  readonly services: RunningService[] = [];
  readonly events: { partition: number; row: LogEvent }[] = [];
  private readonly heard = new Set<() => void>();

  private constructor(
    private readonly stores: Record<string, string>,
    readonly amqpUrl: string,
    readonly requester: Requester,
    private readonly broker: Broker,
    private readonly membership: Membership,
  ) {}

  /** With `mongodb`, for suites inside `describeMongo`. */
  static async create(store: 'postgresql' | 'mongodb'): Promise<World> {
    const [databaseUrl, amqpUrl] = await Promise.all([freshDatabase(), freshVhost()]);
    const stores: Record<string, string> = { MESSAGE_STORE: store, DATABASE_URL: databaseUrl };
    if (store === 'mongodb') stores['MONGODB_URL'] = (await testMongo()).url;
    await migrateStores(loadConfig(storeConfigSchema, stores));
    const broker = new Broker({ url: amqpUrl, service: 'realtime', instanceId: randomUUID(), logger: quiet });
    const control = new ControlInbox(broker);
    const membership = new Membership(broker, control);
    const world = new World(stores, amqpUrl, new Requester(broker, control), broker, membership);
    void broker.onConnection(async (connection) => {
      const channel = await connection.createChannel();
      const { queue } = await channel.assertQueue('', { exclusive: true });
      for (let lane = 0; lane < 16; lane++)
        await channel.bindQueue(queue, exchanges.events.name, `lane.${lane}`);
      await channel.consume(
        queue,
        (message) => world.hear(JSON.parse(message!.content.toString()) as EventEnvelope),
        {
          noAck: true,
        },
      );
    });
    broker.start();
    await broker.whenConnected();
    membership.start();
    return world;
  }

  /** Of PostgreSQL, which the services use by their own search paths. */
  get databaseUrl(): string {
    return this.stores['DATABASE_URL'] ?? '';
  }

  async startInstance(): Promise<RunningService> {
    const keys = await testKeys();
    const config = loadConfig(configSchema, {
      PORT: '0',
      LOG_LEVEL: process.env.LOG_LEVEL ?? 'silent',
      ...this.stores,
      AMQP_URL: this.amqpUrl,
      JWT_PUBLIC_KEYS_FILE: keys.publicFile,
    });
    const service = await startMessaging(config, { ownsProcess: false });
    this.services.push(service);
    return service;
  }

  /** A group of alice and bob; resolves once it is there. */
  async group(memberIds = [this.bob]): Promise<string> {
    const conversationId = createdId(this.alice, randomUUID());
    await this.requester.command('conversation.create', {
      conversationId,
      actorId: this.alice,
      type: 'group',
      title: 'Friends',
      topic: null,
      visibility: 'private',
      memberIds,
      requestHash: 'a',
    });
    return conversationId;
  }

  send(conversationId: string, actorId: string, clientMessageId: string, body = 'hello') {
    return this.requester.command('message.send', {
      conversationId,
      actorId,
      clientMessageId,
      body,
      format: 'plain',
      mentions: [],
      attachments: [],
    });
  }

  rowsOf(conversationId: string): LogEvent[] {
    return this.events.map(({ row }) => row).filter((row) => row.conversationId === conversationId);
  }

  /** Resolves once the condition holds; looked at whenever an event arrives. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.heard.add(resolve));
  }

  async close(): Promise<void> {
    await Promise.all(this.services.map((service) => service.close()));
    this.membership.leave();
    this.requester.stop();
    await this.broker.stop();
  }

  private hear(envelope: EventEnvelope): void {
    for (const { partition, rows } of envelope.partitions) {
      for (const row of rows) this.events.push({ partition, row });
    }
    for (const resolve of this.heard) resolve();
    this.heard.clear();
  }
}
