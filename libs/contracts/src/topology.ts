/**
 * Every exchange and queue of the broker, with its lifetime and bound. Nothing else is declared anywhere.
 *
 * Conversations are hashed onto PARTITIONS, fixed for a deployment's life. Partitions are grouped into LANES: a lane is
 * what a consumer takes and what one event envelope is for, so that a batch costs a bounded number of envelopes.
 */
export const PARTITIONS = 64;
export const LANES = 16;

export type ServiceName = 'auth' | 'messaging' | 'history' | 'presence' | 'notification' | 'realtime';

/** Ids are UUIDs of version 7 or 8, whose last 62 bits are random or hashed. */
export function partitionOf(conversationId: string): number {
  return parseInt(conversationId.slice(-6), 16) % PARTITIONS;
}

export function laneOf(partition: number): number {
  return partition % LANES;
}

export function partitionsOfLane(lane: number): number[] {
  return Array.from({ length: PARTITIONS / LANES }, (_, i) => lane + i * LANES);
}

export const exchanges = {
  /** Committed batches; routing key `lane.N`. From messaging. */
  events: { name: 'parley.events', type: 'direct' },
  /** Heartbeats of instances, announcements of owners, heads, digests: see `controlKeys`. Transient, fanned out. */
  control: { name: 'parley.control', type: 'topic' },
  /** What auth publishes from its outbox; routing key is the event's kind. */
  accounts: { name: 'parley.accounts', type: 'topic' },
  /** For the sockets of single users; every realtime node takes all. */
  users: { name: 'parley.users', type: 'fanout' },
  /** From realtime to presence: who has how many sockets on which node. */
  connections: { name: 'parley.connections', type: 'direct' },
  /** From presence to every realtime node: batched changes. */
  presence: { name: 'parley.presence', type: 'fanout' },
} as const;

export const controlKeys = {
  /** `member.<service>`: an instance is there, or leaves. */
  member: (service: ServiceName) => `member.${service}`,
  /** An owner's partitions, terms and closing ones. */
  owner: 'owner',
  /** Last positions per partition, every 2 s. */
  heads: 'heads',
  /** Changed conversations, every 10 s. */
  digest: 'digest',
} as const;

export interface QueueSpec {
  name: string;
  durable: boolean;
  /** Gone with the connection that declared it. */
  exclusive: boolean;
  /** Messages older than this are dropped; undefined keeps them. */
  ttlMs?: number;
  lengthMax: number;
  bytesMax?: number;
  /** Delete after so long without a consumer. */
  expiresMs?: number;
}

export const queues = {
  /** Commands for one instance of messaging. Transient: the asker retries. TTL stays below the reply timeout. */
  commands: (instanceId: string): QueueSpec => ({
    name: `messaging.commands.${instanceId}`,
    durable: false,
    exclusive: true,
    ttlMs: 1000,
    lengthMax: 10_000,
    bytesMax: 64_000_000,
  }),
  /** Questions to any instance of a service. */
  queries: (service: ServiceName): QueueSpec => ({
    name: `${service}.queries`,
    durable: true,
    exclusive: false,
    ttlMs: 1500,
    lengthMax: 10_000,
    bytesMax: 64_000_000,
  }),
  /** Replies to one instance. */
  replies: (service: ServiceName, instanceId: string): QueueSpec => ({
    name: `${service}.replies.${instanceId}`,
    durable: false,
    exclusive: true,
    ttlMs: 2000,
    lengthMax: 50_000,
    bytesMax: 128_000_000,
  }),
  /** The backlog of a consumer that keeps state. May drop its oldest: it is refilled from the log. */
  lane: (service: ServiceName, lane: number): QueueSpec => ({
    name: `${service}.lane.${lane}`,
    durable: true,
    exclusive: false,
    lengthMax: 100_000,
    bytesMax: 64_000_000,
  }),
  /** Rows on their way to sockets. Worth nothing once late: heads and digests show what was missed. */
  liveLane: (service: ServiceName, lane: number): QueueSpec => ({
    name: `${service}.live.${lane}`,
    durable: true,
    exclusive: false,
    ttlMs: 5000,
    lengthMax: 20_000,
    bytesMax: 64_000_000,
    expiresMs: 60_000,
  }),
  /** Heartbeats, owners, heads, digests for one instance. */
  control: (service: ServiceName, instanceId: string): QueueSpec => ({
    name: `${service}.control.${instanceId}`,
    durable: false,
    exclusive: true,
    ttlMs: 5000,
    lengthMax: 10_000,
    bytesMax: 64_000_000,
  }),
  /** A fanout's copy for one instance (users, presence, accounts at realtime). */
  inbox: (service: ServiceName, instanceId: string): QueueSpec => ({
    name: `${service}.inbox.${instanceId}`,
    durable: false,
    exclusive: true,
    ttlMs: 30_000,
    lengthMax: 50_000,
    bytesMax: 64_000_000,
  }),
  /** Account events for one realtime node: a revocation must not be lost while its connection is made anew. */
  liveAccounts: (service: ServiceName, instanceId: string): QueueSpec => ({
    name: `${service}.accounts.${instanceId}`,
    durable: true,
    exclusive: false,
    ttlMs: 600_000,
    lengthMax: 50_000,
    bytesMax: 64_000_000,
    expiresMs: 120_000,
  }),
  /** Account events for a service that keeps its own copy of names. Survives a stop of the service. */
  accounts: (service: ServiceName): QueueSpec => ({
    name: `${service}.accounts`,
    durable: true,
    exclusive: false,
    lengthMax: 1_000_000,
    bytesMax: 256_000_000,
  }),
  /** What realtime nodes tell presence. */
  connections: (): QueueSpec => ({
    name: 'presence.connections',
    durable: true,
    exclusive: false,
    ttlMs: 60_000,
    lengthMax: 100_000,
    bytesMax: 64_000_000,
  }),
} as const;
