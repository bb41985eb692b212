import { randomUUID } from 'node:crypto';
import { loadConfig, type RunningService } from '@parley/service';
import {
  accessTokenFor,
  freshRedis,
  freshVhost,
  testKeys,
  ticketFor,
  until,
  type TokenOptions,
} from '@parley/testing';
import { exchanges, queues, type ConnectionEvent, type PresenceEntry } from '@parley/contracts';
import { v7 as uuid } from 'uuid';
import { startRealtime } from '../app';
import { schema } from '../config';
import { NodeLog } from '../feed/node-log';
import { Client } from './client';
import type { TestLog } from './log';
import { MessagingPeer } from './messaging.peer';
import { Peer } from './peer';

/** Realtime nodes in one process, real servers, and the other services as peers. Specs only. */
export class World {
  readonly nodes: RunningService[] = [];
  readonly clients: Client[] = [];
  readonly connections: ConnectionEvent[] = [];
  presence: PresenceEntry[] = [];
  /** Awaited before names are answered, after they were read. */
  beforeUsersAnswer: (ids: string[]) => Promise<void> = () => Promise.resolve();
  /** Awaited before presence is answered, after it was read. */
  beforePresenceAnswer: () => Promise<void> = () => Promise.resolve();
  /** Sessions that auth knows to have ended. */
  readonly ended = new Set<string>();
  beforeSyncAnswer: () => Promise<void> = () => Promise.resolve();
  /** Whom history takes for a member; it may be behind messaging. */
  viewOf: (userId: string) => ReturnType<TestLog['memberOf']> = (userId) =>
    this.messaging.log.memberOf(userId);
  private readonly peers: Peer[] = [];
  private readonly ids: string[] = [];
  private waiting: (() => void)[] = [];

  private constructor(
    readonly amqpUrl: string,
    readonly redisUrl: string,
    readonly messaging: MessagingPeer,
    readonly auth: Peer,
    readonly history: Peer,
    readonly presencePeer: Peer,
  ) {
    this.peers.push(auth, history, presencePeer);
  }

  static async start(
    options: { nodes?: number; redisUrl?: string; env?: NodeJS.ProcessEnv } = {},
  ): Promise<World> {
    const [amqpUrl, redisUrl] = await Promise.all([freshVhost(), options.redisUrl ?? freshRedis()]);
    const world = new World(
      amqpUrl,
      redisUrl,
      new MessagingPeer(amqpUrl),
      new Peer(amqpUrl, 'auth', { queries: true }),
      new Peer(amqpUrl, 'history', { queries: true }),
      new Peer(amqpUrl, 'presence', {
        queries: true,
        subscriptions: [{ exchange: 'connections', queue: queues.connections(), keys: ['connection'] }],
      }),
    );
    world.answer();
    await Promise.all([world.messaging.start(), ...world.peers.map((peer) => peer.start())]);
    for (let i = 0; i < (options.nodes ?? 1); i += 1) await world.startNode(options.env);
    return world;
  }

  async startNode(env: NodeJS.ProcessEnv = {}, untilReady = true): Promise<RunningService> {
    const { publicFile } = await testKeys();
    const config = loadConfig(schema, {
      PORT: '0',
      INSTANCE_ID: `node-${randomUUID()}`,
      LOG_LEVEL: process.env.LOG_LEVEL ?? 'silent',
      AMQP_URL: this.amqpUrl,
      REDIS_URL: this.redisUrl,
      JWT_PUBLIC_KEYS_FILE: publicFile,
      WEB_ORIGINS: 'http://app.test',
      DRAIN_MS: '0',
      ...env,
    });
    const node = await startRealtime(config, { ownsProcess: false });
    this.nodes.push(node);
    this.ids.push(config.INSTANCE_ID);
    if (untilReady) await this.untilReady(this.nodes.length - 1);
    return node;
  }

  /** Resolves once the node takes sockets. */
  async untilReady(node: number): Promise<void> {
    const isReady = async () => (await fetch(`${this.node(node).url}/health/ready`)).status === 200;
    await until(`node ${node} is ready`, isReady);
  }

  node(index: number): RunningService {
    const node = this.nodes[index];
    if (!node) throw new Error(`there is no node ${index}`);
    return node;
  }

  nodeId(index: number): string {
    return this.ids[index] ?? '';
  }

  /** A socket that has its `ready`. */
  async connect(userId: string, node = 0, sid?: string): Promise<Client> {
    const client = this.open({ token: await accessTokenFor(userId, { sid }) }, node);
    await client.take('ready');
    return client;
  }

  open(options: Parameters<typeof Client.open>[1], node = 0): Client {
    const client = Client.open(this.node(node).url, options);
    this.clients.push(client);
    return client;
  }

  token(userId: string, options?: TokenOptions): Promise<string> {
    return accessTokenFor(userId, options);
  }

  ticket(userId: string, options?: TokenOptions): Promise<string> {
    return ticketFor(userId, options);
  }

  /** Resolves once presence was told this of the user. */
  async untilConnections(userId: string, node: string, sockets: number): Promise<void> {
    for (;;) {
      const last = this.connections.findLast((event) => event.userId === userId && event.node === node);
      if (last?.sockets === sockets) return;
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  /** Resolves once every node has taken what was told to single users before: fanouts keep their order. */
  async untilHeard(): Promise<void> {
    const userId = aUser();
    const clients = await Promise.all(this.nodes.map((_, node) => this.connect(userId, node)));
    this.messaging.peer.publisher.users({ kind: 'account.changed', userIds: [userId] });
    for (const client of clients) {
      await client.take('account:changed');
      await client.close();
    }
  }

  /** Resolves once every node has come, in each partition, to where the log ends. */
  async untilApplied(): Promise<void> {
    const heads = () => this.messaging.log.positions();
    const isApplied = ({ app }: RunningService) => {
      const positions = app.get(NodeLog).positions();
      return heads().every((head, partition) => positions[partition] === head);
    };
    await until('every node has applied the log', () => this.nodes.every(isApplied));
  }

  async metrics(node: number): Promise<string> {
    return (await fetch(`${this.node(node).url}/metrics`)).text();
  }

  async stop(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.close()));
    await Promise.all(this.nodes.map((node) => node.close()));
    await Promise.all([this.messaging.stop(), ...this.peers.map((peer) => peer.stop())]);
  }

  private answer(): void {
    this.auth.answer('auth.users', async ({ ids }) => {
      await this.beforeUsersAnswer(ids);
      return { users: ids.map((id) => ({ id, username: `user-${id.slice(-4)}`, displayName: 'A name' })) };
    });
    this.auth.answer('auth.sessions', ({ ids }) => ({ live: ids.filter((id) => !this.ended.has(id)) }));
    this.history.answer('history.sync', async ({ userId, versions }) => {
      const conversations = this.viewOf(userId)
        .filter(({ conversation }) => versions[conversation.id] !== undefined)
        .map(({ conversation, messages }) => ({
          id: conversation.id,
          version: conversation.version,
          head: conversation.version,
          more: false,
          reset: false,
          messages: messages.filter(({ version }) => version > (versions[conversation.id] ?? 0)),
          members: [],
          membersRemoved: [],
        }));
      await this.beforeSyncAnswer();
      return { epoch: this.messaging.epoch, conversations, removed: [] };
    });
    this.presencePeer.answer('presence.get', async ({ userIds }) => {
      const items = userIds.map(
        (userId): PresenceEntry =>
          this.presence.find((entry) => entry.userId === userId) ?? {
            userId,
            status: 'offline',
            lastSeenAt: null,
          },
      );
      await this.beforePresenceAnswer();
      return { items };
    });
    this.presencePeer.answer('presence.set', ({ userId, status }) => ({
      items: [{ userId, status, lastSeenAt: null }],
    }));
    this.presencePeer.listen(exchanges.connections.name, (events) => {
      this.connections.push(...(events as ConnectionEvent[]));
      for (const wake of this.waiting.splice(0)) wake();
    });
  }
}

export function aUser(): string {
  return uuid();
}
