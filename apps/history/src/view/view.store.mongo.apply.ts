import { RowsDoNotFollow } from '@parley/broker';
import { encodeMessage } from './message.codec';
import type { AppliedDocument, Collections, ParkedDocument } from './mongo.documents';
import { homeOf, homeOfConversation, keyOf, memberKey, scopeOf } from './mongo.documents';
import { insertMissing, isLostInsert, raise, type Raise, writeAll } from './mongo.raise';
import type { ConversationDocument, MemberDocument, MessageDocument } from './mongo.documents';
import type { ParkedEvent, SoundRows } from './view.store';
import type { ConversationWrite, MemberWrite, ViewWrites } from './view.writes';

/** A parked event beyond this is not kept whole, for no document may exceed 16 MiB. */
const eventBytesMax = 15 * 1024 * 1024;

/**
 * Everything that a batch changes, in stages: each begins when the one before is on the disks of a majority. So what has
 * a later stage has the earlier ones, whatever is lost, on whichever shard; and where it breaks off, a repeat goes on.
 *
 * 1. entities, and the marks of parked events, which no reader may miss who sees the head above them;
 * 2. heads: readers go by them;
 * 3. positions: the feed goes on from them.
 *
 * @param generationOf the generation of a partition
 */
export async function applyWrites(
  collections: Collections,
  batch: SoundRows[],
  writes: ViewWrites,
  parked: ParkedEvent[],
  generationOf: (partition: number) => number,
): Promise<void> {
  const conversations = [...writes.conversations.values()];
  const scopes = new Map(
    conversations.map(({ id, partition }) => [id, scopeOf(id, generationOf(partition))]),
  );
  const scope = (conversationId: string) => scopes.get(conversationId) ?? '';
  await all([
    raise(collections.messages, messageRaises(writes, scope)),
    raise(
      collections.members,
      [...writes.members.values()].map((write) => memberRaise(write, scope(write.conversationId))),
    ),
    raise(
      collections.conversations,
      conversations.flatMap((write) => sharedRaise(write, scope(write.id), generationOf(write.partition))),
    ),
    insertMissing(
      collections.parked,
      parked.map((event) => parkedDocument(event, generationOf(event.partition))),
    ),
  ]);
  await raiseHeads(collections, conversations, generationOf);
  await raisePositions(collections, batch, generationOf);
}

/** Rejects only when none of them is under way any more, so that a repeat runs beside nothing of this attempt. */
async function all(writes: Promise<unknown>[]): Promise<void> {
  const outcomes = await Promise.allSettled(writes);
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
}

function messageRaises(writes: ViewWrites, scope: (id: string) => string): Raise<MessageDocument>[] {
  return [...writes.messages].map(([key, message]) => {
    const { conversationId, number, version, pinned, threadId } = message;
    const owner = scope(conversationId);
    const _id = keyOf(owner, number);
    const body = encodeMessage(message);
    return {
      document: {
        _id,
        scope: owner,
        id: message.id,
        version,
        createdAt: new Date(message.createdAt),
        ...(threadId !== undefined && { thread: keyOf(threadId, number) }),
        ...(pinned && { pin: _id }),
        body,
      },
      older: { _id, scope: owner, version: { $lt: version } },
      update: pinned
        ? { $set: { version, body, pin: _id } }
        : { $set: { version, body }, $unset: { pin: true } },
      isNew: !writes.known.has(key),
    };
  });
}

function memberRaise(write: MemberWrite, scope: string): Raise<MemberDocument> {
  const { userId, role, version, position, removed, isNew } = write;
  const _id = memberKey(scope, userId);
  const state = { role, joinedAt: new Date(write.joinedAt), position, removed };
  return {
    document: { _id, scope, userId, version, ...state },
    older: { _id, scope, position: { $lt: position } },
    // A leave of a channel has no version; the one that the role came with stays.
    update: { $set: { ...state, ...(version !== null && { version }) } },
    isNew,
  };
}

/** The shared part, where these rows changed it; under a head that says nothing yet. */
function sharedRaise(
  write: ConversationWrite,
  scope: string,
  generation: number,
): Raise<ConversationDocument>[] {
  if (write.shared === null) return [];
  const { sharedVersion, sharedPosition, isNew } = write;
  const shared = JSON.stringify(write.shared);
  return [
    {
      document: { ...blank(write.id, scope, generation), shared, sharedVersion, sharedPosition },
      older: { _id: scope, sharedPosition: { $lt: sharedPosition } },
      update: { $set: { shared, sharedPosition }, $max: { sharedVersion } },
      isNew,
    },
  ];
}

function blank(conversationId: string, scope: string, generation: number): ConversationDocument {
  return {
    _id: scope,
    home: homeOfConversation(conversationId, generation),
    head: 0,
    messageCount: 0,
    shared: null,
    sharedVersion: 0,
    sharedPosition: 0,
    deleted: false,
  };
}

async function raiseHeads(
  { conversations }: Collections,
  writes: ConversationWrite[],
  generationOf: (partition: number) => number,
): Promise<void> {
  const operations = writes.map(({ id, partition, head, messageCount, deleted }) => {
    const generation = generationOf(partition);
    const scope = scopeOf(id, generation);
    const { _id, head: _, messageCount: __, deleted: ___, ...rest } = blank(id, scope, generation);
    return {
      updateOne: {
        filter: { _id },
        update: deleted
          ? { $max: { head, messageCount }, $set: { deleted, erase: true }, $setOnInsert: rest }
          : { $max: { head, messageCount }, $setOnInsert: { ...rest, deleted } },
        upsert: true,
      },
    };
  });
  try {
    await writeAll(conversations, operations);
  } catch (error) {
    // Two may insert the same conversation at once; the second time it is there.
    if (!isLostInsert(error)) throw error;
    await writeAll(conversations, operations);
  }
}

async function raisePositions(
  { applied }: Collections,
  batch: SoundRows[],
  generationOf: (partition: number) => number,
): Promise<void> {
  const matched = await writeAll<AppliedDocument>(
    applied,
    batch.map(({ partition, first, last }) => ({
      updateOne: {
        filter: { _id: partition, generation: generationOf(partition), position: { $gte: first - 1 } },
        update: { $max: { position: last } },
      },
    })),
  );
  // Another epoch began meanwhile: what was written lies in a generation that nobody reads.
  if (matched !== batch.length) throw new RowsDoNotFollow();
}

function parkedDocument(parked: ParkedEvent, generation: number): ParkedDocument {
  const { partition, position, conversationId, reason } = parked;
  const home = homeOf(partition, generation);
  const event = JSON.stringify(parked.event);
  const bytes = Buffer.byteLength(event);
  const isKept = bytes <= eventBytesMax;
  return {
    _id: keyOf(home, position),
    home,
    partition,
    position,
    conversationId,
    scope: conversationId && scopeOf(conversationId, generation),
    reason: isKept ? reason : `${reason} (its ${bytes} bytes are too many to be kept here; the log has them)`,
    event: isKept ? event : 'null',
    parkedAt: new Date(),
  };
}
