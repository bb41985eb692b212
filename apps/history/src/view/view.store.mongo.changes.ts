import type { Conversation, Member } from '@parley/contracts';
import type { mongo } from 'mongoose';
import { decodeMessage } from './message.codec';
import type { Collections, ConversationDocument, MemberDocument, MessageDocument } from './mongo.documents';
import { indexes } from './mongo.documents';
import type { CausalReads } from './mongo.reads';
import type { Entity } from './view.store';

/** Most versions that one query may span: what it reads at most, beside what is written at the same time. */
const versionsPerQueryMax = 4000;
/** By how much a query may span more than the one before it, which found too little. */
const growth = 4;

/** What is still to be read of one ask. */
interface Walk {
  /** Which of the asks. */
  n: number;
  conversation: ConversationDocument;
  from: number;
}

/** A stretch of versions: above `from`, up to `to` or without an end. */
interface Step {
  walk: Walk;
  to: number;
}

interface Source {
  scope: string;
  entity: Entity;
}

/**
 * The changes of many conversations in few queries, each of which takes the next asks whose versions together fit what is
 * asked for. A version is at most one change, so the versions that a query spans bound what it reads; where fewer
 * entities are found, since later changes replaced earlier ones, the next query spans more.
 *
 * @param asks with the conversation as it is; undefined ones are not there
 */
export async function readChanges(
  { messages, members }: Collections,
  reads: CausalReads,
  asks: { conversation: ConversationDocument | undefined; above: number }[],
  limit: number,
): Promise<Entity[][]> {
  const found: Entity[][] = asks.map(() => []);
  let walks = asks.flatMap(({ conversation, above }, n) =>
    conversation ? [{ n, conversation, from: above }] : [],
  );
  let count = 0;
  for (
    let span = limit;
    walks.length > 0 && count < limit;
    span = Math.min(span * growth, versionsPerQueryMax)
  ) {
    const steps = nextSteps(walks, span);
    const filter = { $or: steps.map(stretch) };
    const hint = indexes.byVersion;
    const only = filter.$or.length === 1 ? (filter.$or[0] ?? filter) : filter;
    const [newMessages, newMembers] = await Promise.all([
      reads.find<MessageDocument>(messages, only as mongo.Filter<MessageDocument>, {
        hint,
        projection: { _id: 0, scope: 1, version: 1, body: 1 },
      }),
      reads.find<MemberDocument>(members, only as mongo.Filter<MemberDocument>, { hint }),
    ]);
    const entities = byScope([
      ...newMessages.map(messageSource),
      ...newMembers.map(memberSource),
      ...steps.flatMap(sharedSource),
    ]);
    for (const { walk, to } of steps) {
      const list = found[walk.n] ?? [];
      for (const entity of entities.get(walk.conversation._id) ?? []) {
        if (count >= limit && list[list.length - 1]?.version !== entity.version) return found;
        list.push(entity);
        count += 1;
      }
      walk.from = to;
    }
    walks = walks.filter(({ from }) => from < Infinity);
  }
  return found;
}

/** The next stretches, in the order of the asks, that span so many versions together. */
function nextSteps(walks: Walk[], span: number): Step[] {
  const steps: Step[] = [];
  let left = span;
  for (const walk of walks) {
    if (left <= 0) break;
    const versions = Math.max(1, walk.conversation.head - walk.from);
    // What changes while we read lies above the head, and belongs to the last stretch: its old version is gone.
    steps.push({ walk, to: versions <= left ? Infinity : walk.from + left });
    left -= versions;
  }
  return steps;
}

function stretch({ walk, to }: Step) {
  const version = to === Infinity ? { $gt: walk.from } : { $gt: walk.from, $lte: to };
  return { scope: walk.conversation._id, version };
}

function messageSource({ scope, version, body }: MessageDocument): Source {
  return { scope, entity: { kind: 'message', version, message: decodeMessage(body) } };
}

function memberSource(document: MemberDocument): Source {
  const { scope, version, removed } = document;
  return { scope, entity: { kind: 'member', version: version ?? 0, member: memberOf(document), removed } };
}

function sharedSource({ walk, to }: Step): Source[] {
  const { _id, shared, sharedVersion: version } = walk.conversation;
  if (shared == null || version <= walk.from || version > to) return [];
  return [
    {
      scope: _id,
      entity: { kind: 'conversation', version, conversation: sharedPart(walk.conversation, shared) },
    },
  ];
}

/** The shared part as it came with its last change, with the counters that have moved since. */
export function sharedPart({ head, messageCount }: ConversationDocument, shared: string): Conversation {
  return { ...(JSON.parse(shared) as Conversation), version: head, messageCount };
}

export function memberOf({ userId, role, joinedAt }: MemberDocument): Member {
  return { userId, role: role as Member['role'], joinedAt: joinedAt.toISOString() };
}

/** In rising version. */
function byScope(sources: Source[]): Map<string, Entity[]> {
  const entities = new Map<string, Entity[]>();
  for (const { scope, entity } of sources.sort((a, b) => a.entity.version - b.entity.version)) {
    const list = entities.get(scope);
    if (list) list.push(entity);
    else entities.set(scope, [entity]);
  }
  return entities;
}
