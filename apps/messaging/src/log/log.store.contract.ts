import { v7 } from 'uuid';
import { blank } from '../conversation/conversation.rules';
import { toHead } from '../conversation/conversation.state';
import type { LogRow, LogStore } from './log.store';
import { ClientIdTaken, PositionTaken } from './log.store';

const at = '2026-01-31T09:30:00.000Z';

/** A log with one partition's writer, who numbers rows as an owner does. */
class Writer {
  readonly alice = v7();
  readonly bob = v7();
  readonly state = blank(v7());
  position = 0;

  constructor(readonly partition: number) {
    Object.assign(this.state, { createdAt: at, lastActivityAt: at, createdBy: this.alice, requestHash: 'r' });
  }

  private row(fields: Partial<LogRow>, event: object): LogRow {
    this.position += 1;
    this.state.version += 1;
    const { id: conversationId, version } = this.state;
    return {
      partition: this.partition,
      position: this.position,
      term: 1,
      conversationId,
      version,
      number: null,
      messageId: null,
      senderId: null,
      clientMessageId: null,
      requestHash: null,
      at,
      event: JSON.stringify({ position: this.position, conversationId, version, at, ...event }),
      reactors: null,
      conversation: toHead(this.state),
      memberships: [],
      mentions: [],
      ...fields,
    };
  }

  created(): LogRow {
    for (const userId of [this.alice, this.bob])
      this.state.members.set(userId, { role: 'member', joinedAt: at });
    const memberships = [this.alice, this.bob].map((userId) => ({
      userId,
      role: 'member' as const,
      joinedAt: at,
      readBase: 0,
    }));
    return this.row({ memberships }, { kind: 'conversation.created' });
  }

  sent(clientMessageId: string, body = 'héllo "quoted" \\ {1,2} \n NULL'): LogRow {
    this.state.messageCount += 1;
    const id = v7();
    const version = this.state.version + 1;
    const message = { id, conversationId: this.state.id, number: this.state.messageCount, version, body };
    this.state.lastMessageId = id;
    return this.row(
      { number: message.number, messageId: id, senderId: this.alice, clientMessageId, requestHash: 'h' },
      { kind: 'message.created', message },
    );
  }

  reacted(messageId: string): LogRow {
    const message = { id: messageId, conversationId: this.state.id, version: this.state.version + 1 };
    const reactors = JSON.stringify({ '👍': [this.bob] });
    return this.row({ messageId, reactors }, { kind: 'reaction.changed', message });
  }

  removed(userId: string): LogRow {
    this.state.members.delete(userId);
    const memberships = [{ userId, role: null, joinedAt: at, readBase: this.state.messageCount }];
    return this.row({ memberships }, { kind: 'member.changed' });
  }
}

/** What every implementation of LogStore promises. `open` gives an empty log. */
export function describeLogStore(name: string, open: () => Promise<LogStore>): void {
  describe(`LogStore: ${name}`, () => {
    let store: LogStore;
    beforeAll(async () => {
      store = await open();
    });

    it('gives back rows as they were appended, in order and by page', async () => {
      const writer = new Writer(1);
      const rows = [writer.created(), writer.sent('a'), writer.sent('b'), writer.sent('c')];
      await store.append(rows);
      const all = await store.read(1, 0, 100);
      expect(all).toEqual(rows.map(({ position, event }) => ({ position, event })));
      expect(await store.read(1, 1, 2)).toEqual(all.slice(1, 3));
      expect(await store.read(1, 4, 100)).toEqual([]);
    });

    it('knows each partition by its tail', async () => {
      const writer = new Writer(2);
      await store.append([writer.created(), { ...writer.sent('a'), term: 7 }]);
      const tails = await store.tails([2, 3]);
      expect(tails).toEqual(
        new Map([
          [2, { position: 2, term: 7 }],
          [3, { position: 0, term: 0 }],
        ]),
      );
    });

    it('refuses a taken position as a whole, naming its partition', async () => {
      const writer = new Writer(4);
      const other = new Writer(5);
      await store.append([writer.created()]);
      const late = { ...new Writer(4).created(), position: 1 };
      const refusal = await store.append([other.created(), late]).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(PositionTaken);
      expect((refusal as PositionTaken).partition).toBe(4);
      expect(await store.read(5, 0, 10)).toEqual([]);
      expect(await store.conversations([other.state.id])).toEqual(new Map());
    });

    it('refuses a known client id as a whole, naming it, whatever its position', async () => {
      const writer = new Writer(6);
      const sent = writer.sent('same');
      await store.append([writer.created(), sent].map((row, i) => ({ ...row, position: i + 1 })));
      const refusal = await store
        .append([writer.sent('fresh'), writer.sent('same')])
        .catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(ClientIdTaken);
      expect(refusal).toMatchObject({
        conversationId: writer.state.id,
        senderId: writer.alice,
        clientMessageId: 'same',
      });
      expect(await store.read(6, 2, 10)).toEqual([]);
      expect(await store.messageIdOf(writer.state.id, writer.alice, 'same')).toBe(sent.messageId);
      expect(await store.messageIdOf(writer.state.id, writer.alice, 'fresh')).toBeUndefined();
      expect(await store.messageIdOf(writer.state.id, writer.bob, 'same')).toBeUndefined();
    });

    it('lets rows without version or client id stand side by side', async () => {
      const writer = new Writer(7);
      const rows = [writer.created(), writer.removed(writer.bob), writer.removed(writer.alice)];
      await store.append(rows.map((row, i) => (i === 0 ? row : { ...row, version: null })));
      expect((await store.tails([7])).get(7)?.position).toBe(3);
    });

    it('projects conversations and members as of the last append', async () => {
      const writer = new Writer(8);
      await store.append([writer.created(), writer.sent('a')]);
      const after = await store.conversations([writer.state.id, v7()]);
      expect(after).toEqual(new Map([[writer.state.id, writer.state]]));
      await store.append([writer.removed(writer.bob)]);
      const now = (await store.conversations([writer.state.id])).get(writer.state.id);
      expect([...(now?.members.keys() ?? [])]).toEqual([writer.alice]);
      expect(now?.version).toBe(3);
    });

    it('gives the latest state of a message, its reactors, and the hash it was sent with', async () => {
      const writer = new Writer(9);
      const sent = writer.sent('a');
      await store.append([writer.created(), sent].map((row, i) => ({ ...row, position: i + 1 })));
      const reaction = writer.reacted(sent.messageId!);
      await store.append([reaction]);
      const states = await store.messages([sent.messageId!, v7()]);
      expect([...states.keys()]).toEqual([sent.messageId]);
      expect(states.get(sent.messageId!)).toMatchObject({
        message: { id: sent.messageId, version: reaction.version },
        reactors: { '👍': [writer.bob] },
        requestHash: 'h',
      });
    });

    it('stores hundreds of rows of many partitions in one append', async () => {
      const writers = Array.from({ length: 20 }, (_, i) => new Writer(20 + i));
      await store.append(writers.map((writer) => writer.created()));
      await store.append(
        writers.flatMap((writer) => Array.from({ length: 30 }, (_, i) => writer.sent(`m${i}`))),
      );
      const tails = await store.tails(writers.map((writer) => writer.partition));
      expect([...tails.values()].map(({ position }) => position)).toEqual(writers.map(() => 31));
    });
  });
}
