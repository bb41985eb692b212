import { accessTokenFor, until } from '@parley/testing';
import type { Client } from '../testing/client';
import { aUser, World } from '../testing/world';

/** A quarter of the joins that may be under way. */
const STARTED_SINGLY = 8;
const PARTITIONS_USED = [1, 2, 3, 4];

describe('joining', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.start();
  });
  afterAll(() => world.stop());

  const say = (conversationId: string, actorId: string, body: string) =>
    world.messaging.log.send({
      conversationId,
      actorId,
      clientMessageId: body,
      body,
      format: 'plain',
      mentions: [],
      attachments: [],
    });

  /** Holds the answers about this user's memberships back; `read` resolves once messaging has read them. */
  function holdAnswer(userId: string): { read: Promise<void>; release: () => void } {
    let release!: () => void;
    let onRead!: () => void;
    const read = new Promise<void>((resolve) => (onRead = resolve));
    const released = new Promise<void>((resolve) => (release = resolve));
    world.messaging.beforeJoinAnswer = async (asked) => {
      if (asked !== userId) return;
      onRead();
      await released;
    };
    return {
      read,
      release: () => {
        world.messaging.beforeJoinAnswer = () => Promise.resolve();
        release();
      },
    };
  }

  /** Resolves once the node has applied everything that the log has in the partitions that this suite uses. */
  async function applied(witness: Client, userId: string): Promise<void> {
    for (const partition of PARTITIONS_USED) world.messaging.log.create('group', [userId], partition);
    for (const _ of PARTITIONS_USED) await witness.take('conversation:created');
  }

  it('says who one is, what one has, and what bounds there are', async () => {
    const alice = aUser();
    const { id } = world.messaging.log.create('group', [alice]);
    const client = world.open({ token: await accessTokenFor(alice, { sid: alice }) });
    expect(await client.take('ready')).toMatchObject({
      epoch: world.messaging.epoch,
      protocol: 1,
      user: { id: alice, displayName: 'A name' },
      sessionId: alice,
      accountCursor: 'cursor-1',
      limits: { messageBodyCharsMax: 8000 },
      conversations: [{ id, version: 1 }],
      nextCursor: null,
    });
  });

  it('misses nothing that happens while the memberships are on their way', async () => {
    const [alice, witness] = [aUser(), aUser()];
    const { log } = world.messaging;
    const kept = log.create('group', [alice, witness], 1).id;
    const left = log.create('group', [alice, witness], 2).id;
    const w = await world.connect(witness);
    const answer = holdAnswer(alice);
    const client = world.open({ token: await accessTokenFor(alice) });
    await answer.read;

    say(kept, witness, 'during');
    log.remove(left, alice);
    say(left, witness, 'not for alice');
    const joined = log.create('group', [witness], 3).id;
    say(joined, witness, 'before alice');
    log.add(joined, alice);
    say(joined, witness, 'after alice came');
    await w.take('conversation:created');
    await applied(w, witness);
    expect(client.names).toEqual([]);
    answer.release();

    const ready = await client.take('ready');
    expect(ready.conversations.map(({ id }) => id).sort()).toEqual([kept, left].sort());
    expect(await client.take('conversation:removed')).toMatchObject({ conversationId: left });
    expect(await client.take('conversation:created')).toMatchObject({ conversationId: joined });
    const bodies = [await client.take('message:created'), await client.take('message:created')].map(
      ({ message }) => message.body,
    );
    expect(bodies.sort()).toEqual(['after alice came', 'during']);

    say(kept, witness, 'later');
    say(left, witness, 'still not for alice');
    say(joined, witness, 'also later');
    const later = [await client.take('message:created'), await client.take('message:created')];
    expect(later.map(({ message }) => message.body).sort()).toEqual(['also later', 'later']);
    await applied(w, witness);
    expect(client.names).toEqual([]);
  });

  it('asks again when the node has gone on from a head meanwhile', async () => {
    const [alice, witness] = [aUser(), aUser()];
    const { log } = world.messaging;
    const left = log.create('group', [alice, witness], 1).id;
    const w = await world.connect(witness);
    const answer = holdAnswer(alice);
    const client = world.open({ token: await accessTokenFor(alice) });
    await answer.read;
    const publish = world.messaging.onRow;
    world.messaging.onRow = () => undefined;
    log.remove(left, alice);
    for (let i = 0; i < 2_500; i += 1) log.rename(left, `title ${i}`);
    world.messaging.onRow = publish;
    log.rename(left, 'tells of the gap');
    await world.untilApplied();
    answer.release();

    expect((await client.take('ready')).conversations).toEqual([]);
    // Her rooms are mended: until then nobody who was here hears of that partition.
    await w.take('position');
    say(left, witness, 'not for alice');
    await applied(w, witness);
    expect(client.names).not.toContain('message:created');
  });

  it('does not repeat what `ready` reflects although the node has not applied it yet', async () => {
    const [alice, witness] = [aUser(), aUser()];
    const { log } = world.messaging;
    const { id } = log.create('group', [alice, witness], 4);
    const w = await world.connect(witness);
    // The rows are lost on their way, so that the node learns of them after the socket has joined.
    const publish = world.messaging.onRow;
    world.messaging.onRow = () => undefined;
    say(id, witness, 'reflected');
    const gone = log.create('group', [alice, witness], 4).id;
    log.remove(gone, alice);
    world.messaging.onRow = publish;

    const client = world.open({ token: await accessTokenFor(alice) });
    expect((await client.take('ready')).conversations).toMatchObject([{ id, version: 2 }]);
    say(id, witness, 'next');
    say(gone, witness, 'not for alice');
    expect(await w.take('message:created')).toMatchObject({ message: { body: 'reflected' } });
    expect(await client.take('message:created')).toMatchObject({ message: { body: 'next' } });
    await applied(w, witness);
    expect(client.names).toEqual([]);
  });

  it('holds what clients send, and what is told to them, until `ready`', async () => {
    const alice = aUser();
    const { id } = world.messaging.log.create('group', [alice]);
    const answer = holdAnswer(alice);
    const client = world.open({ token: await accessTokenFor(alice) });
    const asked = client.ask('typing:start', { conversationId: id });
    const sent = client.ask('message:send', { conversationId: id, clientMessageId: 'early', body: 'Early' });
    await answer.read;
    world.messaging.peer.publisher.users({ kind: 'account.changed', userIds: [alice] });
    await world.untilHeard();
    answer.release();
    expect(await sent).toMatchObject({ ok: true });
    expect(await asked).toEqual({ ok: true });
    expect(client.names[0]).toBe('ready');
    await client.take('account:changed');
  });

  it('answers everything that a client sends before `ready`, however much', async () => {
    const alice = aUser();
    const { id } = world.messaging.log.create('group', [alice]);
    const answer = holdAnswer(alice);
    const client = world.open({ token: await accessTokenFor(alice) });
    const asked = Array.from({ length: 150 }, () => client.ask('typing:start', { conversationId: id }));
    await answer.read;
    answer.release();
    const answers = await Promise.all(asked);
    expect(answers.filter(({ ok }) => ok)).toHaveLength(100);
    expect(answers.at(-1)).toMatchObject({ ok: false, error: { code: 'rate_limited', retryAfterMs: 1_000 } });
    expect(client.names[0]).toBe('ready');
  });

  it('asks once for sockets of one user that wait together', async () => {
    const alice = aUser();
    const asked = world.messaging.joinsAsked;
    const token = await accessTokenFor(alice);
    const clients = Array.from({ length: 5 }, () => world.open({ token }));
    for (const client of clients) await client.take('ready');
    expect(world.messaging.joinsAsked - asked).toBeLessThanOrEqual(5);
    const { id } = world.messaging.log.create('group', [alice]);
    for (const client of clients) {
      expect(await client.take('conversation:created')).toMatchObject({ conversationId: id });
    }
  });

  it('lets those wait who come while many join, and asks for them together', async () => {
    const { messaging } = world;
    const [first, next] = [STARTED_SINGLY + 1, 5].map((length) => Array.from({ length }, aUser)) as [
      string[],
      string[],
    ];
    const own = new Set([...first, ...next]);
    const asked = new Set<string>();
    let release!: () => void;
    const released = new Promise<void>((resolve) => (release = resolve));
    messaging.beforeJoinAnswer = (userId) => {
      // The sockets of before are asked for anew where the node has gone on from a head.
      if (!own.has(userId)) return Promise.resolve();
      asked.add(userId);
      return released;
    };
    const waiting = (joins: number) => async () =>
      (await world.metrics(0)).includes(`\nrealtime_joins_waiting ${joins}\n`);
    const open = async (userId: string) => world.open({ token: await accessTokenFor(userId) });
    const clients = await Promise.all(first.map(open));
    await until('so many are asked for', () => asked.size === first.length);
    clients.push(...(await Promise.all(next.map(open))));
    await until('the others wait', waiting(next.length));
    expect(asked).toEqual(new Set(first));

    messaging.beforeJoinAnswer = () => Promise.resolve();
    release();
    for (const client of clients) await client.take('ready');
    await until('nobody waits', waiting(0));
  });

  it('turns clients away, and tells them when to come back, while messaging is away', async () => {
    await world.messaging.stop();
    const client = world.open({ token: await accessTokenFor(aUser()) });
    const closing = await client.take('session:closing');
    expect(closing).toMatchObject({ code: 'internal', reconnect: true });
    expect(closing.retryAfterMs).toBeGreaterThan(0);
    expect(await client.take('disconnect')).toBe('transport close');
  });
});
