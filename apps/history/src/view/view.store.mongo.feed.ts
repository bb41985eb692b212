import { RowsDoNotFollow } from '@parley/broker';
import { type LogEvent, partitionOf } from '@parley/contracts';
import type { mongo } from 'mongoose';
import type { AppliedDocument, Collections, ConversationDocument } from './mongo.documents';
import { collectionsOf, homeOf, indexes, keyOf, scopeOf } from './mongo.documents';
import { insertMissing } from './mongo.raise';
import { CausalReads, oneOf } from './mongo.reads';
import type { ParkedEvent, SoundRows } from './view.store';
import { ViewFeedStore } from './view.store';
import { applyWrites } from './view.store.mongo.apply';
import { collapse } from './view.writes';

/** Documents deleted by one command: well within its time. */
const deleteStep = 2000;

/** The feed's half of the view in MongoDB. */
export class MongoViewFeedStore extends ViewFeedStore {
  private readonly collections: Collections;
  private readonly reads: CausalReads;

  constructor(client: mongo.MongoClient) {
    super();
    this.collections = collectionsOf(client.db());
    this.reads = new CausalReads(client);
  }

  async load(partitions: number[], epoch: string): Promise<Map<number, number>> {
    const { applied } = this.collections;
    const stored = await this.applied(partitions);
    const missing = partitions.filter((partition) => !stored.has(partition));
    await insertMissing(
      applied,
      missing.map((_id) => ({ _id, epoch, generation: 1, position: 0 })),
    );
    // What the old generation holds is out of sight at once, and erased in steps.
    await applied.updateMany(
      { _id: { $in: partitions }, epoch: { $ne: epoch } },
      { $set: { epoch, position: 0 }, $inc: { generation: 1 } },
    );
    return this.positions(partitions, epoch);
  }

  async positions(partitions: number[], epoch: string): Promise<Map<number, number>> {
    const stored = [...(await this.applied(partitions)).values()];
    return new Map(stored.filter((one) => one.epoch === epoch).map(({ _id, position }) => [_id, position]));
  }

  async apply(batch: SoundRows[], parked: ParkedEvent[], epoch: string): Promise<void> {
    if (batch.length === 0) return;
    const stored = await this.applied(batch.map(({ partition }) => partition));
    const follow = batch.every(({ partition, first }) => {
      const state = stored.get(partition);
      return state?.epoch === epoch && state.position >= first - 1;
    });
    if (!follow) throw new RowsDoNotFollow();
    const generationOf = (partition: number) => stored.get(partition)?.generation ?? 0;
    await applyWrites(this.collections, batch, collapse(batch), parked, generationOf);
  }

  async parked(limit: number, conversationId?: string): Promise<ParkedEvent[]> {
    const { parked } = this.collections;
    const generations = await this.applied(conversationId ? [partitionOf(conversationId)] : undefined);
    const current = [...generations.values()];
    const found =
      conversationId === undefined
        ? { home: { $in: homesOf(current) } }
        : { scope: { $in: current.map(({ generation }) => scopeOf(conversationId, generation)) } };
    const documents = await this.reads.find(parked, found, {
      hint: conversationId === undefined ? indexes.byAge : indexes.byScope,
      sort: indexes.byAge,
      limit,
    });
    return documents.map((document) => ({
      partition: document.partition,
      position: document.position,
      conversationId: document.conversationId ?? null,
      reason: document.reason,
      event: JSON.parse(document.event) as unknown,
    }));
  }

  async countParked(max: number): Promise<number> {
    // Along the index alone: the events themselves may be large.
    const current = { home: { $in: homesOf([...(await this.applied()).values()]) } };
    return this.reads.run((session) =>
      this.collections.parked.countDocuments(current, { hint: indexes.byHome, limit: max, session }),
    );
  }

  async unpark(partition: number, row: LogEvent): Promise<void> {
    const state = (await this.applied([partition])).get(partition);
    if (!state) return;
    const { conversations, parked } = this.collections;
    const [conversation] = await this.reads.find(
      conversations,
      { _id: scopeOf(row.conversationId, state.generation) },
      { hint: indexes.byId },
    );
    if (!conversation?.deleted) {
      // Positions only rise, so applying an old row again moves none; versions keep it from undoing anything.
      const { position } = row;
      await this.apply([{ partition, first: position, last: position, rows: [row] }], [], state.epoch);
    }
    await parked.deleteOne({ _id: keyOf(homeOf(partition, state.generation), row.position) });
  }

  async erase(): Promise<boolean> {
    const { conversations, messages, members, parked } = this.collections;
    const left = [...(await this.applied()).values()].flatMap(({ _id, generation }) =>
      Array.from({ length: generation - 1 }, (_, i) => homeOf(_id, i + 1)),
    );
    const one = (await this.nextDeleted()) ?? (await this.nextOf(left));
    if (!one) {
      if (left.length > 0) await parked.deleteMany({ home: { $in: left } }, { hint: indexes.byHome });
      return false;
    }
    const scope = one._id;
    if (await this.eraseSome(messages, scope)) return true;
    if (await this.eraseSome(members, scope)) return true;
    if (left.includes(one.home)) await conversations.deleteOne({ _id: scope });
    else await conversations.updateOne({ _id: scope }, { $unset: { erase: true } });
    return true;
  }

  /** Resolves to whether there may be more. */
  private async eraseSome<T extends { _id: string; scope: string }>(
    collection: mongo.Collection<T>,
    scope: string,
  ): Promise<boolean> {
    const documents = await this.reads.find<T, { _id: string }>(collection, { scope } as mongo.Filter<T>, {
      hint: indexes.byVersion,
      projection: { _id: 1 },
      limit: deleteStep,
    });
    if (documents.length === 0) return false;
    const ids = documents.map(({ _id }) => _id);
    await collection.deleteMany({ scope, _id: { $in: ids } } as mongo.Filter<T>, { hint: indexes.byId });
    return documents.length === deleteStep;
  }

  private async nextDeleted(): Promise<ConversationDocument | undefined> {
    const { conversations } = this.collections;
    return (await this.reads.find(conversations, { erase: true }, { hint: indexes.toErase, limit: 1 }))[0];
  }

  /** A conversation of a generation that was left. */
  private async nextOf(homes: string[]): Promise<ConversationDocument | undefined> {
    if (homes.length === 0) return undefined;
    const { conversations } = this.collections;
    return (
      await this.reads.find(conversations, { home: { $in: homes } }, { hint: indexes.byHome, limit: 1 })
    )[0];
  }

  /** By partition; all of them where none are named. */
  private async applied(partitions?: number[]): Promise<Map<number, AppliedDocument>> {
    const filter = partitions ? { _id: oneOf(partitions) } : {};
    const documents = await this.reads.find(this.collections.applied, filter, { hint: indexes.byId });
    return new Map(documents.map((document) => [document._id, document]));
  }
}

/** Where what is current of these partitions stands. */
function homesOf(applied: AppliedDocument[]): string[] {
  return applied.map(({ _id, generation }) => homeOf(_id, generation));
}
