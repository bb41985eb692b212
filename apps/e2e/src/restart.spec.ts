import { SteadyGroup } from './system/group';
import { startSystem, type System } from './system/system';
import { answered, closeClients, type Person } from './system/world';

describe('an orderly restart', () => {
  let system: System;
  let alice: Person;
  let group: SteadyGroup;
  beforeAll(async () => {
    system = await startSystem('restart', {
      scale: { realtime: 2, messaging: 2, history: 2 },
      // Sockets outlive their tokens several times over meanwhile.
      envOf: {
        realtime: { DRAIN_MS: '1500', SOCKET_EVENTS_PER_SECOND: '100000' },
        auth: { ACCESS_TOKEN_SECONDS: '6' },
      },
    });
    group = await SteadyGroup.at(system.url);
    alice = group.writer;
  });
  afterAll(async () => {
    await closeClients();
    await system.stop();
  });

  const restart = async (name: string) => {
    const instance = system.stack.apps.instances.find((one) => one.name === name)!;
    await instance.stop();
    await instance.start();
  };

  it('of a realtime node sends its sockets elsewhere before it closes them, and nobody misses anything', async () => {
    const told = group.everybody.map(({ client }) =>
      client.realtime.once('server:draining').then(() => client),
    );
    const drained = Promise.race(told);
    await group.expectAllToHave(await group.writeDuring(restart('realtime-1')));
    await group.expectAllToHave(await group.writeDuring(restart('realtime-2')));
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
    await group.expectAllToHave(await group.writeDuring(restart('messaging-1')));
    await group.expectAllToHave(await group.writeDuring(restart('messaging-2')));
    off();
    expect(refused).toEqual([]);
  });

  it('of the view keeps everybody in step', async () => {
    const stored = await group.writeDuring(restart('history-1'));
    await group.expectAllToHave(stored);
    const { version } = stored.at(-1)!;
    const read = () =>
      group.readers[0]!.client.api.listMessages({
        params: { conversationId: group.conversationId },
        query: { limit: 1, atLeast: version },
      });
    const page = await answered(read);
    expect(page.items).toMatchObject([{ id: stored.at(-1)!.id }]);
  });
});
