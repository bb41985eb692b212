import { Injectable } from '@nestjs/common';
import type { ConversationDelta, QueryData, QueryReply } from '@parley/contracts';
import { MemberDirectory } from '../access/member.directory';
import { EpochSource } from '../feed/epoch.source';
import type { Standing } from '../view/view.store';
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
   * `limit` bounds the entries of all conversations together, save that the entries of one version, and a reset's members,
   * stay whole. Conversations that it leaves no room for answer `more` where they stand.
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
    const used = await this.readChanges(plan.changes, limit, deltas);
    await this.readResets(plan.resets, limit, limit - used, deltas);
    return { epoch, conversations: ids.flatMap((id) => deltas.get(id) ?? []), removed };
  }

  private async epochOf(standings: Standing[]): Promise<string> {
    const epoch = await this.epochs.current();
    return standings.every((standing) => standing.epoch === epoch) ? epoch : this.epochs.confirm();
  }

  /** Resolves with the number of entries. */
  private async readChanges(
    asks: Ask[],
    limit: number,
    deltas: Map<string, ConversationDelta>,
  ): Promise<number> {
    const found = await this.store.changes(
      asks.map(({ standing, from }) => ({ conversationId: standing.conversationId, above: from.version })),
      limit,
    );
    const used = found.reduce((sum, entities) => sum + entities.length, 0);
    // Of a full page the last conversation may have more, and those behind it were not reached.
    const lastFound = used < limit ? Infinity : found.findLastIndex((entities) => entities.length > 0);
    asks.forEach(({ standing, from }, i) => {
      const { conversationId, head } = standing;
      const delta =
        i > lastFound ? later(conversationId, from, head) : deltaOf(standing, found[i] ?? [], i < lastFound);
      deltas.set(conversationId, delta);
    });
    return used;
  }

  private async readResets(
    asks: Ask[],
    limit: number,
    left: number,
    deltas: Map<string, ConversationDelta>,
  ): Promise<void> {
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
    await Promise.all(
      reached.map(async ({ standing, messages: limit }) => {
        const { conversationId } = standing;
        const messages = await this.store.messages({ conversationId, newest: true, limit });
        deltas.set(conversationId, resetOf(standing, messages, members.get(conversationId) ?? []));
      }),
    );
  }
}

/** A channel's members are paged elsewhere; their plain joins and leaves never come by sync. */
function listedMembers({ conversation }: Standing): number {
  return conversation === null || conversation.type === 'channel' ? 0 : conversation.memberCount;
}
