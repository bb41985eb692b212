import { Injectable } from '@nestjs/common';
import { charactersOf, countWithin, PAGE_CHARACTERS_MAX } from '@parley/broker';
import type { ConversationDelta, QueryData, QueryReply } from '@parley/contracts';
import { MemberDirectory } from '../access/member.directory';
import { EpochSource } from '../feed/epoch.source';
import type { Entity, Standing } from '../view/view.store';
import { ViewStore } from '../view/view.store';
import type { Stand } from './sync.delta';
import {
  catchUpMs,
  deltaOf,
  later,
  parkedMs,
  resetOf,
  unchanged,
  unconfirmedMs,
  versionsBehindMax,
} from './sync.delta';

/** A conversation whose state is to be read, and where the client stands in it. */
interface Ask {
  standing: Standing;
  from: Stand;
}

interface Plan {
  changes: Ask[];
  resets: Ask[];
}

/** Messages that a reset brings at least, where its share of the limit would be less. */
const resetMessagesMin = 20;

/** The conversation part of `sync`. */
@Injectable()
export class SyncService {
  constructor(
    private readonly store: ViewStore,
    private readonly directory: MemberDirectory,
    private readonly epochs: EpochSource,
  ) {}

  /**
   * What changed in these conversations above each version, collapsed to the latest state of each entity.
   *
   * `limit` bounds the entries of all conversations together, and PAGE_CHARACTERS_MAX what they hold, save that the entries of
   * one version, and a reset's members, stay whole. Conversations that they leave no room for answer `more` where they stand.
   *
   * @throws ParleyError `unavailable` while the epoch is not known
   */
  async sync(request: QueryData<'history.sync'>): Promise<QueryReply<'history.sync'>> {
    const { userId, versions, limit } = request;
    const ids = Object.keys(versions);
    // Heads first: whatever is read after them is at least as new.
    const found = await this.store.standings(userId, ids);
    const epoch = await this.epochOf([...found.values()]);
    const known = new Map([...found].filter(([, standing]) => standing.epoch === epoch));
    const strangers = ids.filter((id) => !known.get(id)?.isMember && !known.get(id)?.deleted);
    const confirmed = await this.directory.memberOf(userId, strangers).catch(() => undefined);

    const deltas = new Map<string, ConversationDelta>();
    const removed: string[] = [];
    const plan: Plan = { changes: [], resets: [] };
    const isForeign = request.epoch !== epoch;
    for (const id of ids) {
      const standing = known.get(id);
      const head = standing?.head ?? 0;
      const from = { version: isForeign ? 0 : (versions[id] ?? 0), isForeign };
      if (standing?.deleted) removed.push(id);
      else if (!standing?.isMember) {
        // Not a member as far as the view knows: only messaging's word makes that final.
        if (confirmed && !confirmed.has(id)) removed.push(id);
        else deltas.set(id, later(id, from, head, confirmed ? catchUpMs : unconfirmedMs));
      } else if (standing.isParked) deltas.set(id, later(id, from, head, parkedMs));
      else if (isForeign || head - from.version > versionsBehindMax) plan.resets.push({ standing, from });
      else if (from.version > head) deltas.set(id, later(id, from, head, catchUpMs));
      else if (from.version === head) deltas.set(id, unchanged(id, head, head));
      else plan.changes.push({ standing, from });
    }
    const left = await this.readChanges(plan.changes, limit, deltas);
    await this.readResets(plan.resets, limit, left, deltas);
    return { epoch, conversations: ids.flatMap((id) => deltas.get(id) ?? []), removed };
  }

  private async epochOf(standings: Standing[]): Promise<string> {
    const epoch = await this.epochs.current();
    return standings.every((standing) => standing.epoch === epoch) ? epoch : this.epochs.confirm();
  }

  /** Resolves with what is left for resets. */
  private async readChanges(
    asks: Ask[],
    limit: number,
    deltas: Map<string, ConversationDelta>,
  ): Promise<Room> {
    const all = await this.store.changes(
      asks.map(({ standing, from }) => ({ conversationId: standing.conversationId, above: from.version })),
      limit,
    );
    const used = all.reduce((sum, entities) => sum + entities.length, 0);
    const { found, characters, isWhole } = fitting(all);
    const isFull = used >= limit || !isWhole;
    // Of a full page the last conversation may have more, and those behind it were not reached.
    const lastFound = isFull ? found.findLastIndex((entities) => entities.length > 0) : Infinity;
    asks.forEach(({ standing, from }, i) => {
      const { conversationId, head } = standing;
      const delta =
        i > lastFound ? later(conversationId, from, head) : deltaOf(standing, found[i] ?? [], i < lastFound);
      deltas.set(conversationId, delta);
    });
    return {
      entries: isWhole ? limit - used : 0,
      characters: isFull ? 0 : PAGE_CHARACTERS_MAX - characters,
    };
  }

  private async readResets(
    asks: Ask[],
    limit: number,
    room: Room,
    deltas: Map<string, ConversationDelta>,
  ): Promise<void> {
    let left = room.entries;
    const share = Math.max(resetMessagesMin, Math.floor(limit / Math.max(1, asks.length)));
    const reached: { standing: Standing; messages: number }[] = [];
    for (const { standing, from } of asks) {
      if (left <= 0) {
        deltas.set(standing.conversationId, later(standing.conversationId, from, standing.head));
        continue;
      }
      const messages = Math.min(share, left);
      reached.push({ standing, messages });
      left -= Math.min(messages, standing.messageCount) + listedMembers(standing) + 1;
    }
    const listing = reached.filter(({ standing }) => listedMembers(standing) > 0);
    const members = await this.store.members(listing.map(({ standing }) => standing.conversationId));
    const pages = await Promise.all(
      reached.map(({ standing: { conversationId }, messages: limit }) =>
        this.store.messages({ conversationId, newest: true, limit }),
      ),
    );
    let { characters } = room;
    asks.slice(0, reached.length).forEach(({ standing, from }, i) => {
      const { conversationId } = standing;
      if (characters <= 0) {
        deltas.set(conversationId, later(conversationId, from, standing.head));
        return;
      }
      // Of large messages a reset brings fewer: the newest.
      const newestFirst = (pages[i] ?? []).toReversed();
      const messages = newestFirst.slice(0, countWithin(newestFirst, characters, charactersOf)).reverse();
      for (const message of messages) characters -= charactersOf(message);
      deltas.set(conversationId, resetOf(standing, messages, members.get(conversationId) ?? []));
    });
  }
}

/** What a page has room for. */
interface Room {
  entries: number;
  characters: number;
}

/** About what a member, or the shared part of a conversation, takes as JSON. */
const ENTRY_CHARACTERS = 500;

const charactersOfEntity = (entity: Entity) =>
  entity.kind === 'message' ? charactersOf(entity.message) : ENTRY_CHARACTERS;

/** As many of the first as a page may hold, never cut between two of one version. */
function fitting(all: Entity[][]): { found: Entity[][]; characters: number; isWhole: boolean } {
  const found: Entity[][] = all.map(() => []);
  let characters = 0;
  for (const [i, entities] of all.entries()) {
    for (const [k, entity] of entities.entries()) {
      characters += charactersOfEntity(entity);
      const isNext = entity.version !== entities[k - 1]?.version;
      if (isNext && characters > PAGE_CHARACTERS_MAX && found.some((kept) => kept.length > 0))
        return { found, characters, isWhole: false };
      found[i]?.push(entity);
    }
  }
  return { found, characters, isWhole: true };
}

/** A channel's members are paged elsewhere; their plain joins and leaves never come by sync. */
function listedMembers({ conversation }: Standing): number {
  return conversation === null || conversation.type === 'channel' ? 0 : conversation.memberCount;
}
