import { partitionOf } from '@parley/contracts';
import type { CollectionPlan } from '@parley/service';
import type { InferRawDocType, mongo, Schema } from 'mongoose';

/**
 * The view's documents: their types, validators, indexes and shard keys have this one source. What belongs to a
 * conversation has its `scope` (see `scopeOf`), on which a cluster spreads it, so that it lies together.
 *
 * Counters are safe integers, which BSON keeps exactly, as int32 or as double. Optional strings are absent where they do
 * not apply, so that a sparse index has an entry for those only that it is about.
 */

const text = { type: String, required: true } as const;
const counter = { type: Number, required: true } as const;
const flag = { type: Boolean, required: true } as const;
const time = { type: Date, required: true } as const;

/** How far the view has come in a partition (`_id`), and in which epoch; a new one begins a new generation. */
const applied = { _id: counter, epoch: text, generation: counter, position: counter } as const;

const conversation = {
  /** The scope. */
  _id: text,
  home: text,
  head: counter,
  messageCount: counter,
  /** The shared part as JSON, null while its creation is parked; with the version and position that it came with. */
  shared: { type: String, default: null },
  sharedVersion: counter,
  sharedPosition: counter,
  deleted: flag,
  /** True from the deletion until the content is erased. */
  erase: Boolean,
} as const;

const message = {
  /** `keyOf(scope, number)`: pages are ranges of it. */
  _id: text,
  scope: text,
  id: text,
  version: counter,
  createdAt: time,
  /** `keyOf(thread's id, number)` of a reply. */
  thread: String,
  /** `keyOf(scope, number)` while it is pinned. */
  pin: String,
  /** As `encodeMessage` gave it. */
  body: text,
} as const;

const member = {
  /** `memberKey(scope, userId)` */
  _id: text,
  scope: text,
  userId: text,
  role: text,
  joinedAt: time,
  /** Null for plain joins and leaves of channels. */
  version: { type: Number, default: null },
  position: counter,
  removed: flag,
} as const;

const parked = {
  /** `keyOf(home, position)` */
  _id: text,
  home: text,
  partition: counter,
  position: counter,
  conversationId: { type: String, default: null },
  scope: { type: String, default: null },
  reason: text,
  /** As JSON. */
  event: text,
  parkedAt: time,
} as const;

export type AppliedDocument = InferRawDocType<typeof applied>;
export type ConversationDocument = InferRawDocType<typeof conversation>;
export type MessageDocument = InferRawDocType<typeof message>;
export type MemberDocument = InferRawDocType<typeof member>;
export type ParkedDocument = InferRawDocType<typeof parked>;

/** The key pattern of each index, also the hint of the queries that it is for. */
export const indexes = {
  byId: { _id: 1 },
  byVersion: { scope: 1, version: 1 },
  byMessageId: { scope: 1, id: 1 },
  byThread: { thread: 1 },
  byPin: { pin: 1 },
  byHome: { home: 1 },
  toErase: { erase: 1 },
  byScope: { scope: 1 },
  byAge: { parkedAt: 1, _id: 1 },
} as const;

const names = {
  applied: 'history_applied',
  conversations: 'history_conversations',
  messages: 'history_messages',
  members: 'history_members',
  parked: 'history_parked',
} as const;

/** What a migration makes of each collection. */
export async function collectionPlans(): Promise<[name: string, plan: CollectionPlan][]> {
  // Mongoose is loaded by whoever uses it.
  const { Schema } = await import('mongoose');
  const strict = { versionKey: false, _id: false } as const;
  return [
    // 64 small documents that everything begins with, and events that should not be there: both stay on one shard.
    [names.applied, planOf(new Schema(applied, strict))],
    [
      names.parked,
      planOf(new Schema(parked, strict).index(indexes.byScope).index(indexes.byHome).index(indexes.byAge)),
    ],
    [
      names.conversations,
      planOf(
        new Schema(conversation, strict).index(indexes.byHome).index(indexes.toErase, { sparse: true }),
        { _id: 'hashed' },
      ),
    ],
    [
      names.messages,
      planOf(
        new Schema(message, strict)
          .index(indexes.byVersion)
          .index(indexes.byMessageId)
          .index(indexes.byThread, { sparse: true })
          .index(indexes.byPin, { sparse: true }),
        { scope: 'hashed' },
      ),
    ],
    [names.members, planOf(new Schema(member, strict).index(indexes.byVersion), { scope: 'hashed' })],
  ];
}

function planOf(schema: Schema, shardKey?: CollectionPlan['shardKey']): CollectionPlan {
  return {
    validator: {
      ...schema.toJSONSchema({ useBsonType: true }),
      bsonType: 'object',
      additionalProperties: false,
    },
    indexes: schema.indexes().map(([key, { sparse }]) => ({
      key: key as mongo.IndexDescription['key'],
      ...(sparse === true && { sparse }),
    })),
    ...(shardKey && { shardKey }),
  };
}

export interface Collections {
  applied: mongo.Collection<AppliedDocument>;
  conversations: mongo.Collection<ConversationDocument>;
  messages: mongo.Collection<MessageDocument>;
  members: mongo.Collection<MemberDocument>;
  parked: mongo.Collection<ParkedDocument>;
}

/** The connection's concerns hold: majority writes, majority reads from the primary. */
export function collectionsOf(db: mongo.Db): Collections {
  return {
    applied: db.collection(names.applied),
    conversations: db.collection(names.conversations),
    messages: db.collection(names.messages),
    members: db.collection(names.members),
    parked: db.collection(names.parked),
  };
}

/**
 * A conversation within a generation of its partition. Another epoch begins another generation, so that whoever still
 * writes what belongs to the old one reaches nothing that anybody reads.
 */
export function scopeOf(conversationId: string, generation: number): string {
  return `${conversationId}.${generation}`;
}

/** A partition within its generation. */
export function homeOf(partition: number, generation: number): string {
  return `${partition}.${generation}`;
}

export function homeOfConversation(conversationId: string, generation: number): string {
  return homeOf(partitionOf(conversationId), generation);
}

const digits = 16;

/** Sorts by number within the prefix. */
export function keyOf(prefix: string, number: number): string {
  return `${prefix}/${String(number).padStart(digits, '0')}`;
}

/** The number that a key was made with. */
export function numberOf(key: string): number {
  return Number(key.slice(-digits));
}

export function memberKey(scope: string, userId: string): string {
  return `${scope}/${userId}`;
}
