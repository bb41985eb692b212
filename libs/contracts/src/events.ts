import { z } from 'zod';
import { counter, id, timestamp } from './common';
import { conversation, conversationType, member } from './conversation';
import { message } from './message';

/**
 * A row of the conversation log as its consumers see it. Every change is exactly one row with a position that is dense
 * in its partition. `version` is null for what moves none: plain joins and leaves of channels.
 */
const row = {
  position: counter,
  conversationId: id,
  version: counter.nullable(),
  at: timestamp,
  actorId: id.nullable(),
};

const messageRow = {
  ...row,
  version: counter,
  conversationType,
  /** The whole new state; in public form (no more than the first few user ids of a reaction). */
  message,
};

/** See versions.ts. */
const envelopeVersion = z.number().int();

const memberEntry = member.extend({ version: counter.nullable() });

export const logEvent = z.discriminatedUnion('kind', [
  /** Emitted once per accepted message. Consumers store it, count it and tell the members. */
  z.object({ kind: z.literal('message.created'), ...messageRow }),
  /** Emitted when body, format, mentions, attachments or the pin changed. Consumers replace the message. */
  z.object({ kind: z.literal('message.updated'), ...messageRow }),
  /** Emitted when a message became a tombstone. Consumers replace the message and forget its body. */
  z.object({ kind: z.literal('message.deleted'), ...messageRow }),
  /** Emitted when somebody's reaction came or went. Consumers replace the message. */
  z.object({ kind: z.literal('reaction.changed'), ...messageRow }),
  /** Emitted once per conversation, version 1, with all its first members. Consumers create it. */
  z.object({
    kind: z.literal('conversation.created'),
    ...row,
    version: counter,
    conversation,
    members: z.array(member),
  }),
  /** Emitted when title, topic, visibility or archived changed. Consumers replace the shared part. */
  z.object({ kind: z.literal('conversation.updated'), ...row, version: counter, conversation }),
  /** Emitted when the conversation was deleted. Consumers drop it and all its memberships. */
  z.object({ kind: z.literal('conversation.deleted'), ...row, version: counter }),
  /** Emitted when somebody came, went or changed role. Consumers change their copy of the memberships. */
  z.object({
    kind: z.literal('member.changed'),
    ...row,
    change: z.enum(['added', 'role', 'removed']),
    member: memberEntry,
    /** The shared part after the change: its memberCount and version. */
    conversation,
  }),
]);
export type LogEvent = z.infer<typeof logEvent>;
export type LogEventKind = LogEvent['kind'];

/** Every kind that this build knows. Rows of a later one are never passed over in silence: see docs/decisions/0012. */
export const logEventKinds: ReadonlySet<string> = new Set(
  logEvent.options.map((one) => one.shape.kind.value),
);

/** Rows of one partition, in rising and dense position. */
export const partitionRows = z.object({ partition: counter, rows: z.array(logEvent) });
export type PartitionRows = z.infer<typeof partitionRows>;

/** What an owner publishes per lane for each committed batch. */
export const eventEnvelope = z.object({
  v: envelopeVersion,
  epoch: z.string(),
  partitions: z.array(partitionRows),
  /** `partition/position` of each sampled row to its W3C traceparent; absent where none is. Never part of the log. */
  traces: z.record(z.string(), z.string()).optional(),
});
export type EventEnvelope = z.infer<typeof eventEnvelope>;

/** What owners announce every few seconds: the last position of each of their partitions. */
export const headsEnvelope = z.object({
  v: envelopeVersion,
  epoch: z.string(),
  /** Partition number (as text) to its last committed position. */
  heads: z.record(z.string(), counter),
});
export type HeadsEnvelope = z.infer<typeof headsEnvelope>;

/**
 * What owners send every 10 s to every realtime node: the conversations that changed within the last 30 s. Of many there are several
 * envelopes, each to be taken for itself: what one leaves out may not have changed, or be in another.
 */
export const digestEnvelope = z.object({
  v: envelopeVersion,
  epoch: z.string(),
  versions: z.record(id, counter),
});
export type DigestEnvelope = z.infer<typeof digestEnvelope>;

const v = envelopeVersion.optional();

/** Told to every realtime node, which passes it to the sockets of these users. Never durable: clients sync. */
export const userEvent = z.discriminatedUnion('kind', [
  /** Something that belongs to these users alone changed (marks, levels, memberships): sync from your own cursor. */
  z.object({ v, kind: z.literal('account.changed'), userIds: z.array(id) }),
  /** A new entry in the in-app list. */
  z.object({
    v,
    kind: z.literal('notification.created'),
    userId: id,
    notification: z.record(z.string(), z.unknown()),
  }),
]);
export type UserEvent = z.infer<typeof userEvent>;

const profile = z.object({ id, username: z.string(), displayName: z.string() });

/** What auth publishes through its outbox, at least once and in order per user. */
export const accountEvent = z.discriminatedUnion('kind', [
  /** Emitted at registration and whenever a profile changed. Consumers keep the newest by `sequence`. */
  z.object({ v, kind: z.literal('user.changed'), sequence: counter, at: timestamp, user: profile }),
  /** Emitted when a session ended. Realtime closes its sockets within a second. */
  z.object({
    v,
    kind: z.literal('session.revoked'),
    sequence: counter,
    at: timestamp,
    userId: id,
    sessionId: id,
  }),
]);
export type AccountEvent = z.infer<typeof accountEvent>;

/** What realtime tells presence about one of its users; `sequence` rises per node, so that repeats do no harm. */
export const connectionEvent = z.object({
  node: z.string(),
  sequence: counter,
  userId: id,
  /** Open sockets of this user on this node, after the change. */
  sockets: counter,
});
export type ConnectionEvent = z.infer<typeof connectionEvent>;
