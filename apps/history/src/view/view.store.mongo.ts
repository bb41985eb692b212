import type { Member, Message } from '@parley/contracts';
import type { mongo } from 'mongoose';
import { decodeMessage } from './message.codec';
import type { Collections, ConversationDocument, MemberDocument, MessageDocument } from './mongo.documents';
import { collectionsOf, indexes, keyOf, memberKey } from './mongo.documents';
import { Generations } from './mongo.generations';
import { CausalReads, oneOf } from './mongo.reads';
import type { Entity, MessageSelection, Standing } from './view.store';
import { ViewStore } from './view.store';
import { memberOf, readChanges, sharedPart } from './view.store.mongo.changes';
import { numberAt } from './view.store.mongo.time';

/** The reading half of the view in MongoDB. */
export class MongoViewStore extends ViewStore {
  private readonly collections: Collections;
  private readonly reads: CausalReads;
  private readonly generations: Generations;

  constructor(client: mongo.MongoClient) {
    super();
    this.collections = collectionsOf(client.db());
    this.reads = new CausalReads(client);
    this.generations = new Generations(this.collections, this.reads);
  }

  async standings(userId: string, conversationIds: string[]): Promise<Map<string, Standing>> {
    const { members, parked } = this.collections;
    const { found, scopes, epochs } = await this.generations.current(conversationIds, (asked) =>
      this.conversations(asked.values()),
    );
    if (found.size === 0) return new Map();
    // After the heads: who sees one must see whose event below it is parked, and who has left by then.
    const keys = [...found.keys()];
    const [own, marked] = await Promise.all([
      this.reads.find<MemberDocument>(
        members,
        // The scope says which shard is asked; without it all are.
        {
          _id: oneOf(keys.map((scope) => memberKey(scope, userId))),
          scope: oneOf(keys),
          userId,
          removed: false,
        },
        { hint: indexes.byId, projection: { scope: 1 } },
      ),
      this.reads.run((session) => parked.distinct('scope', { scope: oneOf(keys) }, { session })),
    ]);
    const [memberships, marks] = [new Set(own.map(({ scope }) => scope)), new Set<unknown>(marked)];
    const standings = new Map<string, Standing>();
    for (const [conversationId, scope] of scopes) {
      const document = found.get(scope);
      const epoch = epochs.get(conversationId);
      if (!document || epoch === undefined) continue;
      const { head, messageCount, shared, deleted } = document;
      standings.set(conversationId, {
        conversationId,
        epoch,
        head,
        messageCount,
        conversation: shared == null ? null : sharedPart(document, shared),
        deleted,
        isMember: memberships.has(scope),
        isParked: marks.has(scope),
      });
    }
    return standings;
  }

  async heads(conversationIds: string[]): Promise<Map<string, number>> {
    const { found, scopes } = await this.generations.current(conversationIds, (asked) =>
      this.conversations(asked.values()),
    );
    const heads = new Map<string, number>();
    for (const [id, scope] of scopes) {
      const head = found.get(scope)?.head;
      if (head !== undefined) heads.set(id, head);
    }
    return heads;
  }

  async changes(asks: { conversationId: string; above: number }[], limit: number): Promise<Entity[][]> {
    const { found, scopes } = await this.generations.current(
      asks.map(({ conversationId }) => conversationId),
      (asked) => this.conversations(asked.values()),
    );
    const states = asks.map(({ conversationId, above }) => {
      return { conversation: found.get(scopes.get(conversationId) ?? ''), above };
    });
    return readChanges(this.collections, this.reads, states, limit);
  }

  async members(conversationIds: string[]): Promise<Map<string, Member[]>> {
    const { found, scopes } = await this.generations.current(conversationIds, async (asked) =>
      asked.size === 0
        ? []
        : this.reads.find<MemberDocument>(
            this.collections.members,
            { scope: oneOf([...asked.values()]), removed: false },
            { hint: indexes.byVersion },
          ),
    );
    const members = new Map<string, Member[]>(conversationIds.map((id) => [id, []]));
    const ids = new Map([...scopes].map(([id, scope]) => [scope, id]));
    found.sort((a, b) => a.joinedAt.getTime() - b.joinedAt.getTime() || (a._id < b._id ? -1 : 1));
    for (const document of found) members.get(ids.get(document.scope) ?? '')?.push(memberOf(document));
    return members;
  }

  async messages(selection: MessageSelection): Promise<Message[]> {
    const { conversationId, above = 0, below = Number.MAX_SAFE_INTEGER, limit, newest, threadId } = selection;
    const documents = await this.inScope(conversationId, (scope) => {
      const [field, prefix] =
        threadId === undefined ? [selection.pinned ? 'pin' : '_id', scope] : ['thread', threadId];
      return this.reads.find<MessageDocument>(
        this.collections.messages,
        { scope, [field]: { $gt: keyOf(prefix, above), $lt: keyOf(prefix, below) } },
        {
          hint: { [field]: 1 },
          sort: { [field]: newest ? -1 : 1 },
          limit,
          projection: { _id: 0, body: 1 },
        },
      );
    });
    const messages = (documents ?? []).map(({ body }) => decodeMessage(body));
    return newest ? messages.reverse() : messages;
  }

  async message(conversationId: string, messageId: string): Promise<Message | undefined> {
    const documents = await this.inScope(conversationId, (scope) =>
      this.reads.find<MessageDocument>(
        this.collections.messages,
        { scope, id: messageId },
        { hint: indexes.byMessageId, projection: { _id: 0, body: 1 }, limit: 1 },
      ),
    );
    const body = documents?.[0]?.body;
    return body === undefined ? undefined : decodeMessage(body);
  }

  async numberAt(conversationId: string, time: string): Promise<number> {
    const found = await this.inScope(conversationId, (scope) => this.conversations([scope]));
    const [conversation] = found?.values() ?? [];
    return conversation ? numberAt(this.collections, this.reads, conversation, Date.parse(time)) : 1;
  }

  /** Undefined where nothing was ever stored in the conversation's partition. */
  private async inScope<T>(
    conversationId: string,
    read: (scope: string) => Promise<T>,
  ): Promise<T | undefined> {
    const { found } = await this.generations.current([conversationId], async (scopes) => {
      const scope = scopes.get(conversationId);
      return scope === undefined ? undefined : read(scope);
    });
    return found;
  }

  /** By scope. One without a head is not there yet: its entities are being written. */
  private async conversations(scopes: Iterable<string>): Promise<Map<string, ConversationDocument>> {
    const asked = [...scopes];
    if (asked.length === 0) return new Map();
    const documents = await this.reads.find(
      this.collections.conversations,
      { _id: oneOf(asked), head: { $gt: 0 } },
      { hint: indexes.byId },
    );
    return new Map(documents.map((document) => [document._id, document]));
  }
}
