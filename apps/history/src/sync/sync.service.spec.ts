import { randomUUID } from 'node:crypto';
import type { ConversationDelta, PartitionRows } from '@parley/contracts';
import { PARTITIONS, unavailable } from '@parley/contracts';
import { MemberDirectory } from '../access/member.directory';
import { EpochSource } from '../feed/epoch.source';
import { checkRow } from '../feed/row.check';
import { LogWriter } from '../testing/log';
import type { OpenStores } from '../store.kind';
import { describeStores, openTestStore } from '../testing/store';
import { soundRows } from '../view/view.store.contract';
import { SyncService } from './sync.service';

describeStores('sync', ({ fresh }) => {
  const alice = randomUUID();
  const bob = randomUUID();
  const epoch = randomUUID();

  let store: OpenStores;
  let log: LogWriter;
  let positions: Map<number, number>;
  /** What messaging answers about memberships; undefined while it is away. */
  let messaging: ((userId: string, id: string) => boolean) | undefined;
  let service: SyncService;

  beforeAll(async () => {
    store = await openTestStore(await fresh());
  });

  afterAll(() => store.close());

  beforeEach(async () => {
    const partitions = [...Array(PARTITIONS).keys()];
    await store.feed.load(partitions, randomUUID());
    positions = await store.feed.load(partitions, epoch);
    log = new LogWriter();
    messaging = (userId, id) => log.truth.get(id)?.members.has(userId) ?? false;
    const requester = { query: async (name: string, data: object) => answer(name, data) };
    const epochs = new EpochSource(requester as never);
    service = new SyncService(store.view, new MemberDirectory(requester as never), epochs);
  });

  function answer(name: string, data: object): object {
    if (name === 'messaging.epoch') return { epoch, partitions: PARTITIONS };
    if (!messaging) throw unavailable('Messaging is away.');
    const { userId, conversationIds } = data as { userId: string; conversationIds: string[] };
    return { memberOf: conversationIds.filter((id) => messaging?.(userId, id)) };
  }

  async function apply(batch: PartitionRows[] = log.after(positions)): Promise<void> {
    await store.feed.apply(soundRows(batch), [], epoch);
    for (const { partition, rows } of log.all()) positions.set(partition, rows.length);
  }

  function sync(versions: Record<string, number>, more: { limit?: number; epoch?: string | null } = {}) {
    return service.sync({ userId: alice, epoch, limit: 200, versions, ...more });
  }

  function talk(messages: number, type: 'group' | 'channel' = 'group'): string {
    const id = log.create(type, [alice, bob]);
    for (let i = 1; i <= messages; i += 1) log.send(id, bob, `message ${i}`);
    return id;
  }

  const nothing = { messages: [], members: [], membersRemoved: [] };
  const numbers = (delta: ConversationDelta | undefined) => delta?.messages.map((message) => message.number);

  it('answers an empty question', async () => {
    expect(await sync({})).toEqual({ epoch, conversations: [], removed: [] });
  });

  it('says nothing new to who stands at the head', async () => {
    const id = talk(2);
    await apply();

    expect((await sync({ [id]: 3 })).conversations).toEqual([
      { id, version: 3, head: 3, more: false, reset: false, ...nothing },
    ]);
  });

  it('lets who is ahead of the view stay where he is, and come again', async () => {
    const id = talk(2);
    await apply();

    const { conversations } = await sync({ [id]: 9000 });

    expect(conversations).toEqual([
      { id, version: 9000, head: 3, more: true, reset: false, retryAfterMs: expect.any(Number), ...nothing },
    ]);
  });

  it('goes on page by page from where the last one ended', async () => {
    const id = talk(5);
    await apply();

    const first = (await sync({ [id]: 1 }, { limit: 2 })).conversations[0];
    expect(first).toMatchObject({ version: 3, head: 6, more: true });
    expect(numbers(first)).toEqual([1, 2]);
    const second = (await sync({ [id]: 3 }, { limit: 3 })).conversations[0];
    expect(second).toMatchObject({ version: 6, head: 6, more: false });
    expect(numbers(second)).toEqual([3, 4, 5]);
  });

  it('shares the limit between the conversations, in the order asked', async () => {
    const ids = [talk(3), talk(3), talk(3)];
    await apply();

    const { conversations } = await sync(Object.fromEntries(ids.map((id) => [id, 1])), { limit: 4 });

    expect(
      conversations.map((delta) => [delta.id, delta.version, delta.more, delta.messages.length]),
    ).toEqual([
      [ids[0], 4, false, 3],
      [ids[1], 2, true, 1],
      [ids[2], 1, true, 0],
    ]);
  });

  /** Large messages, a few at a time: on a machine with much else to do a store does not take all in time. */
  async function talkAtLength(messages: number): Promise<string> {
    const id = talk(0);
    for (let i = 1; i <= messages; i += 1) {
      log.send(id, bob, '\u3042'.repeat(8000));
      if (i % 8 === 0 || i === messages) await apply();
    }
    return id;
  }

  it('brings fewer entries at once where they are large, and all of them at last', async () => {
    const ids = [await talkAtLength(40), await talkAtLength(40), await talkAtLength(1)];

    const stands = new Map(ids.map((id) => [id, 1]));
    let messages = 0;
    let pages = 0;
    for (let isMore = true; isMore; pages += 1) {
      const { conversations } = await sync(Object.fromEntries(stands), { limit: 500 });
      expect(JSON.stringify(conversations).length).toBeLessThan(1_100_000);
      for (const delta of conversations) {
        expect(delta.reset).toBe(false);
        messages += delta.messages.length;
        stands.set(delta.id, delta.version);
      }
      isMore = conversations.some(({ more }) => more);
    }
    expect(messages).toBe(81);
    expect(pages).toBe(2);
  });

  describe('a reset', () => {
    it('brings fewer messages where they are large, the newest, and to some conversations later', async () => {
      const ids = [await talkAtLength(70), await talkAtLength(3), await talkAtLength(1)];

      const { conversations } = await sync(Object.fromEntries(ids.map((id) => [id, 0])), {
        epoch: null,
        limit: 210,
      });

      expect(JSON.stringify(conversations).length).toBeLessThan(1_100_000);
      const [first, second, third] = conversations;
      expect(first).toMatchObject({ version: 71, more: false, reset: true });
      expect(numbers(first)).toEqual(Array.from({ length: 60 }, (_, i) => i + 11));
      expect(numbers(second)).toEqual([3]);
      expect(third).toMatchObject({ version: 0, more: true, reset: true, messages: [] });
    });

    it('comes to who stands in another epoch, with the newest state', async () => {
      const id = talk(30);
      log.rename(id, 'The newest title');
      await apply();

      for (const other of ['another', null]) {
        const { conversations } = await sync({ [id]: 3 }, { epoch: other, limit: 20 });

        const [delta] = conversations;
        expect(delta).toMatchObject({ id, version: 32, head: 32, more: false, reset: true });
        expect(numbers(delta)).toEqual(Array.from({ length: 20 }, (_, i) => i + 11));
        expect(new Set(delta?.members)).toEqual(new Set(log.of(id).members.values()));
        expect(delta?.conversation).toEqual({ ...log.of(id).conversation });
      }
    });

    it('comes to who is more than 5,000 versions behind', async () => {
      const id = talk(300);
      // Few messages, many versions.
      for (let i = 0; i < 4701; i += 1) log.edit(id, 300, `edit ${i}`);
      await apply();

      expect((await sync({ [id]: 2 })).conversations[0]).toMatchObject({
        reset: false,
        more: true,
        version: 202,
      });
      expect((await sync({ [id]: 1 })).conversations[0]).toMatchObject({
        reset: true,
        more: false,
        version: 5002,
      });
    });

    it('brings no members of a channel', async () => {
      const id = talk(1, 'channel');
      await apply();

      const { conversations } = await sync({ [id]: 0 }, { epoch: null });

      expect(conversations[0]).toMatchObject({ reset: true, version: 2, members: [], conversation: { id } });
    });

    it('starts from nothing where the limit leaves no room, so that no version outlives its epoch', async () => {
      const ids = [talk(30), talk(30)];
      await apply();

      const { conversations } = await sync(Object.fromEntries(ids.map((id) => [id, 7])), {
        epoch: 'another',
        limit: 15,
      });

      expect(conversations).toMatchObject([
        { id: ids[0], version: 31, more: false, reset: true },
        { id: ids[1], version: 0, more: true, reset: true, messages: [] },
      ]);
    });

    it('spreads the limit over many conversations', async () => {
      const ids = Array.from({ length: 5 }, () => talk(60));
      await apply();

      const { conversations } = await sync(Object.fromEntries(ids.map((id) => [id, 0])), { epoch: null });

      expect(conversations.map((delta) => delta.messages.length)).toEqual([40, 40, 40, 40, 28]);
    });
  });

  describe('removal', () => {
    it('is said once messaging confirms it', async () => {
      const id = talk(1);
      log.removeMember(id, alice);
      await apply();

      expect(await sync({ [id]: 2 })).toEqual({ epoch, conversations: [], removed: [id] });
    });

    it('is not said while messaging is away', async () => {
      const id = talk(1);
      log.removeMember(id, alice);
      await apply();
      messaging = undefined;

      expect(await sync({ [id]: 2 })).toEqual({
        epoch,
        conversations: [
          { id, version: 2, head: 3, more: true, reset: false, retryAfterMs: expect.any(Number), ...nothing },
        ],
        removed: [],
      });
    });

    it('is not said of who is back, though the view has not heard of it', async () => {
      const id = talk(1);
      log.removeMember(id, alice);
      await apply();
      log.addMember(id, alice);

      expect(await sync({ [id]: 2 })).toMatchObject({
        conversations: [{ id, version: 2, more: true, retryAfterMs: expect.any(Number) }],
        removed: [],
      });
    });

    it('is said of what never was, and of what others have', async () => {
      const foreign = log.create('group', [bob]);
      const channel = log.create('channel', [bob], { visibility: 'public' });
      const never = randomUUID();
      await apply();

      const { removed, conversations } = await sync({ [foreign]: 1, [never]: 4, [channel]: 0 });

      expect(removed).toEqual([foreign, never, channel]);
      expect(conversations).toEqual([]);
    });

    it('is said of a deleted conversation without asking', async () => {
      const id = talk(1);
      log.deleteConversation(id);
      await apply();
      messaging = undefined;

      expect(await sync({ [id]: 2 })).toEqual({ epoch, conversations: [], removed: [id] });
    });
  });

  it('gives what was sent before attachments were judged as they are now', async () => {
    const id = log.create('group', [alice, bob]);
    const attachment = {
      url: 'https://example.org/a\nb',
      name: 'annex\u202egpj.exe',
      mimeType: '',
      sizeBytes: 1,
    };
    log.send(id, bob, 'See there.', { attachments: [attachment] });
    const [{ partition, rows } = { partition: -1, rows: [] }] = log.all();
    expect(rows.map((row) => checkRow(partition, row))).toEqual([undefined, undefined]);
    await apply();

    const { conversations } = await sync({ [id]: 1 });

    expect(conversations[0]?.messages[0]?.attachments).toEqual([attachment]);
  });

  it('tells nobody what a conversation holds of which an event is parked', async () => {
    const id = talk(1);
    await apply();
    const [part] = log.all();
    const { partition } = part as PartitionRows;
    const position = 3;
    const parked = [{ partition, position, conversationId: id, reason: 'broken', event: {} }];
    await store.feed.apply([{ partition, first: position, last: position, rows: [] }], parked, epoch);

    expect((await sync({ [id]: 0 })).conversations).toEqual([
      { id, version: 0, head: 2, more: true, reset: false, retryAfterMs: expect.any(Number), ...nothing },
    ]);
  });
});
