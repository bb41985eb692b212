import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileStorage } from '@parley/client/node';
import { interruptible, type Interruptible } from '@parley/testing';
import {
  bodies,
  closeClients,
  connected,
  gatewayUrl,
  newClient,
  person,
  until,
  type Person,
} from './system/world';

describe('a client that loses its connection or its process', () => {
  let alice: Person;
  let line: Interruptible;
  let directory: string;
  beforeAll(async () => {
    alice = await connected('alice');
    line = await interruptible(gatewayUrl());
    directory = await mkdtemp(join(tmpdir(), 'parley-e2e-'));
  });
  afterAll(async () => {
    await closeClients();
    await line.close();
    await rm(directory, { recursive: true });
  });

  it('sends what was written meanwhile, once and in order, when the line is back', async () => {
    const bob = await connected('bob', { url: line.url });
    const { id } = await bob.client.direct(alice.user.id);
    await bob.client.send({ conversationId: id, body: 'Before.' }).stored;

    const waiting = bob.client.realtime.once('status', ({ state }) => state === 'waiting');
    await line.cut();
    await waiting;
    const texts = Array.from({ length: 10 }, (_, n) => `In the tunnel ${n}.`);
    const handles = texts.map((body) => bob.client.send({ conversationId: id, body }));
    await alice.client.send({ conversationId: id, body: 'Where are you?' }).stored;

    await line.restore();
    await Promise.all(handles.map(({ stored }) => stored));
    await bob.client.synced();
    const all = ['Before.', 'Where are you?', ...texts];
    await until(alice.client, () => bodies(alice.client, id).length === all.length);
    expect(bodies(alice.client, id)).toEqual(all);
    expect(bodies(bob.client, id)).toEqual(all);
  });

  it('finds out by itself that a line is dead, and that an answer was lost', async () => {
    const bob = await connected('bob', { url: line.url, ackTimeoutMs: 1_000 });
    const { id } = await bob.client.direct(alice.user.id);
    line.freeze();
    const { stored } = bob.client.send({ conversationId: id, body: 'Into the void.' });
    await bob.client.outbox.once('changed', () => bob.client.outbox.pending(id)[0]?.state === 'queued');
    await line.cut();
    await line.restore();
    expect((await stored).number).toBe(1);
  });

  it('goes on after a restart where it stopped', async () => {
    const storage = new FileStorage(directory);
    const bob = await connected('bob', { storage, persistState: true });
    const { id } = await bob.client.direct(alice.user.id);
    await bob.client.send({ conversationId: id, body: 'Before the crash.' }).stored;
    await until(bob.client, () => bodies(bob.client, id).length === 1);
    bob.client.disconnect();
    const { clientMessageId } = bob.client.send({ conversationId: id, body: 'Unsent.' });
    await until(bob.client, () => true);
    await bob.client.close();

    const restarted = newClient({ storage: new FileStorage(directory), persistState: true });
    expect(await restarted.restore()).toBe(true);
    expect(bodies(restarted, id)).toEqual(['Before the crash.']);
    expect(restarted.timeline(id).outgoing).toMatchObject([
      { request: { clientMessageId, body: 'Unsent.' } },
    ]);
    const arrived = alice.client.store.once(
      'message',
      ({ message }) => message.clientMessageId === clientMessageId,
    );
    await restarted.connect();
    await arrived;
    await restarted.synced();
    await until(restarted, () => bodies(restarted, id).length === 2);
    expect(restarted.timeline(id)).toMatchObject({ messages: [{ number: 1 }, { number: 2 }], outgoing: [] });

    await restarted.logout();
    expect(await storage.keys('')).toEqual([]);
  });

  it('loads older messages page by page', async () => {
    const bob = await person('bob');
    const { id } = await alice.client.direct(bob.user.id);
    for (let n = 1; n <= 30; n += 1) await alice.client.send({ conversationId: id, body: `${n}` }).stored;
    const reader = await connected('reader', { hold: 'opened' });
    await bob.client.connect();
    await bob.client.synced();
    expect(bodies(bob.client, id)).toHaveLength(30);
    // A client that holds only what it opened knows the summary alone.
    expect(reader.client.store.messages(id)).toEqual([]);

    bob.client.store.state(id)!.trim(4);
    expect(bodies(bob.client, id)).toEqual(['27', '28', '29', '30']);
    const { more } = await bob.client.loadBefore(id, 10);
    expect(more).toBe(true);
    expect(bodies(bob.client, id)).toEqual(Array.from({ length: 14 }, (_, n) => `${17 + n}`));
    await bob.client.loadBefore(id, 10);
    expect(await bob.client.loadBefore(id, 10)).toMatchObject({ more: false });
    expect(bodies(bob.client, id)).toHaveLength(30);
    expect(await bob.client.loadBefore(id, 10)).toEqual({ messages: [], more: false });
  });
});
