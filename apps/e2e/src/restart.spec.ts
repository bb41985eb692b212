import type { Message } from '@parley/contracts';
import { startSystem, type System } from './system/system';
import { answered, bodies, closeClients, connected, until, type Person } from './system/world';

describe('an orderly restart', () => {
  let system: System;
  let alice: Person;
  let readers: Person[];
  let conversationId: string;
  beforeAll(async () => {
    system = await startSystem('restart', {
      scale: { realtime: 2, messaging: 2, history: 2 },
      // Sockets outlive their tokens several times over meanwhile.
      envOf: {
        realtime: { DRAIN_MS: '1500', SOCKET_EVENTS_PER_SECOND: '100000' },
        auth: { ACCESS_TOKEN_SECONDS: '6' },
      },
    });
    const url = system.url;
    const [first, ...others] = await Promise.all(
      ['alice', 'bob', 'carol', 'dave', 'erin'].map((name) => connected(name, { url })),
    );
    [alice, readers] = [first!, others];
    const memberIds = readers.map(({ user }) => user.id);
    conversationId = (await alice.client.create({ type: 'group', title: 'Steady', memberIds })).id;
    for (const { client } of readers) {
      await until(client, () => client.store.conversation(conversationId)?.current === true);
    }
  });
  afterAll(async () => {
    await closeClients();
    await system.stop();
  });

  /** Writes without a pause until `during` is done; resolves to what was stored. */
  async function writeDuring(during: Promise<void>): Promise<Message[]> {
    let isOver = false;
    void during.finally(() => (isOver = true));
    const stored: Message[] = [];
    while (!isOver) {
      stored.push(await alice.client.send({ conversationId, body: `${stored.length}` }).stored);
    }
    await during;
    return stored;
  }

  async function expectAllToHave(stored: Message[]): Promise<void> {
    const last = stored.at(-1)!;
    for (const { client } of [alice, ...readers]) {
      await until(client, () => {
        const view = client.store.conversation(conversationId);
        return view?.current === true && view.messageCount >= last.number;
      });
      expect(bodies(client, conversationId).slice(-stored.length)).toEqual(stored.map(({ body }) => body));
    }
  }

  const restart = async (name: string) => {
    const instance = system.stack.apps.instances.find((one) => one.name === name)!;
    await instance.stop();
    await instance.start();
  };

  it('of a realtime node sends its sockets elsewhere before it closes them, and nobody misses anything', async () => {
    const everybody = [alice, ...readers];
    const told = everybody.map(({ client }) => client.realtime.once('server:draining').then(() => client));
    const drained = Promise.race(told);
    await expectAllToHave(await writeDuring(restart('realtime-1')));
    await expectAllToHave(await writeDuring(restart('realtime-2')));
    // Of two nodes that were both restarted, one held this client.
    expect((await drained).realtime.ready).toBe(true);
  });

  it('of messaging refuses nothing: who writes only waits', async () => {
    // A message that goes back from `sending` to `queued` was refused, or not answered in time.
    const states = new Map<string, string>();
    const refused: string[] = [];
    const off = alice.client.outbox.on('changed', ({ clientMessageId }) => {
      const entry = alice.client.outbox
        .pending()
        .find(({ request }) => request.clientMessageId === clientMessageId);
      if (entry?.state !== 'sending' && states.get(clientMessageId) === 'sending' && entry) {
        refused.push(entry.request.body);
      }
      if (entry) states.set(clientMessageId, entry.state);
    });
    await expectAllToHave(await writeDuring(restart('messaging-1')));
    await expectAllToHave(await writeDuring(restart('messaging-2')));
    off();
    expect(refused).toEqual([]);
  });

  it('of the view keeps everybody in step', async () => {
    const stored = await writeDuring(restart('history-1'));
    await expectAllToHave(stored);
    const { version } = stored.at(-1)!;
    const read = () =>
      readers[0]!.client.api.listMessages({
        params: { conversationId },
        query: { limit: 1, atLeast: version },
      });
    const page = await answered(read);
    expect(page.items).toMatchObject([{ id: stored.at(-1)!.id }]);
  });
});
