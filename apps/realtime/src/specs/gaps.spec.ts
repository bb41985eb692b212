import { limits, type LogEvent } from '@parley/contracts';
import type { Client } from '../testing/client';
import { aUser, World } from '../testing/world';

describe('rows that get lost', () => {
  let world: World;
  const [alice, bob] = [aUser(), aUser()];
  let a: Client, b: Client;
  const id: string[] = [];
  let publish: (partition: number, row: LogEvent) => void;

  beforeAll(async () => {
    world = await World.start({ nodes: 2 });
    publish = world.messaging.onRow;
    a = await world.connect(alice, 0);
    b = await world.connect(bob, 1);
    for (let i = 0; i < 5; i += 1) {
      id.push(world.messaging.log.create('group', [alice, bob], i).id);
      for (const client of [a, b]) await client.take('conversation:created');
    }
  });
  afterEach(() => (world.messaging.onRow = publish));
  afterAll(() => world.stop());

  let count = 0;
  function say(conversationId = '', actorId = alice): string {
    const body = `message ${(count += 1)}`;
    world.messaging.log.send({
      conversationId,
      actorId,
      clientMessageId: body,
      body,
      format: 'plain',
      mentions: [],
      attachments: [],
    });
    return body;
  }

  async function hears(client: Client, bodies: string[]): Promise<void> {
    const heard: (string | null)[] = [];
    for (const _ of bodies) heard.push((await client.take('message:created')).message.body);
    expect(heard).toEqual(bodies);
    expect(client.names).toEqual([]);
  }

  it('are fetched before what comes after them', async () => {
    world.messaging.onRow = () => undefined;
    const lost = Array.from({ length: 20 }, () => say(id[0]));
    world.messaging.onRow = publish;
    const bodies = [...lost, say(id[0])];
    await Promise.all([hears(a, bodies), hears(b, bodies)]);
  });

  it('are found by the announced head when nothing comes after them', async () => {
    world.messaging.onRow = () => undefined;
    const bodies = [say(id[1]), say(id[1])];
    await world.messaging.announcingHeads(() => Promise.all([hears(a, bodies), hears(b, bodies)]));
  });

  it('do no harm when they come late, twice, or in the wrong order', async () => {
    const rows: [number, LogEvent][] = [];
    world.messaging.onRow = (partition, row) => rows.push([partition, row]);
    const bodies = Array.from({ length: 6 }, () => say(id[2]));
    for (const [partition, row] of [...rows].reverse()) publish(partition, row);
    for (const [partition, row] of rows) publish(partition, row);
    world.messaging.onRow = publish;
    bodies.push(say(id[2]));
    await Promise.all([hears(a, bodies), hears(b, bodies)]);
  });

  it('hold up no other partition while they cannot be fetched', async () => {
    let release!: () => void;
    const released = new Promise<void>((resolve) => (release = resolve));
    world.messaging.beforeReplayAnswer = (partition) => (partition === 3 ? released : Promise.resolve());
    world.messaging.onRow = () => undefined;
    const lost = say(id[3]);
    world.messaging.onRow = publish;
    const waiting = say(id[3]);
    const bodies = [say(id[4]), say(id[4])];
    await Promise.all([hears(a, bodies), hears(b, bodies)]);
    release();
    await Promise.all([hears(a, [lost, waiting]), hears(b, [lost, waiting])]);
  });

  it('make the sockets sync when they are too many, and the rooms are mended', async () => {
    const joined = world.messaging.log.create('group', [bob], 5).id;
    await b.take('conversation:created');
    world.messaging.onRow = () => undefined;
    for (let i = 0; i < 2_500; i += 1) say(id[0]);
    world.messaging.log.add(joined, alice);
    world.messaging.log.remove(id[0] ?? '', bob);
    for (let i = 0; i < 2_500; i += 1) world.messaging.log.rename(joined, `title ${i}`);
    // A row that is published before its partition has jumped is part of what the jump leaves out.
    await world.messaging.announcingHeads(() => world.untilApplied());

    for (const client of [a, b]) await client.take('account:changed');
    const versions = (await a.take('position')).versions;
    expect(versions[id[0] ?? '']).toBe(world.messaging.log.states.get(id[0] ?? '')?.conversation.version);
    expect((await b.take('position')).versions).not.toHaveProperty(id[0] ?? '');
    // What follows is told as ever.
    world.messaging.onRow = publish;
    const forAlice = say(id[0]);
    world.messaging.log.rename(joined, 'for both');
    await hearsAfterPositions(a, forAlice);
    for (const client of [a, b]) {
      expect(await client.take('conversation:updated')).toMatchObject({
        conversation: { title: 'for both' },
      });
    }
    expect(b.names).not.toContain('message:created');
  });

  async function hearsAfterPositions(client: Client, body: string): Promise<void> {
    expect(await client.take('message:created')).toMatchObject({ message: { body } });
  }

  describe('and too many', () => {
    const partition = 7;
    let carol: string, dave: string, group: string;
    let c: Client, d: Client;
    let mend: () => void;

    const sayIn = (conversationId: string) => say(conversationId, carol);
    const versionOf = (id: string) => world.messaging.log.states.get(id)?.conversation.version;

    /** The nodes jump over what happens in `meanwhile`; until `mend` is called they learn nobody's memberships. */
    async function jump(meanwhile: () => void | Promise<void> = () => undefined): Promise<void> {
      const mended = new Promise<void>((resolve) => (mend = resolve));
      world.messaging.beforeJoinAnswer = () => mended;
      world.messaging.onRow = () => undefined;
      for (let i = 0; i < 2_500; i += 1) sayIn(group);
      await meanwhile();
      await world.messaging.announcingHeads(() => world.untilApplied());
      world.messaging.onRow = publish;
    }

    beforeEach(async () => {
      [carol, dave] = [aUser(), aUser()];
      c = await world.connect(carol, 0);
      d = await world.connect(dave, 1);
      group = world.messaging.log.create('group', [carol, dave], partition).id;
      for (const client of [c, d]) await client.take('conversation:created');
    });
    afterEach(async () => {
      mend();
      world.messaging.beforeJoinAnswer = () => Promise.resolve();
      await Promise.all([c, d].map((client) => client.close()));
    });

    it('let nobody hear anything of it who was removed meanwhile, even before the rooms are mended', async () => {
      const other = world.messaging.log.create('group', [carol, dave], partition + 1).id;
      for (const client of [c, d]) await client.take('conversation:created');
      await jump(() => world.messaging.log.remove(group, dave));
      sayIn(group);
      await world.untilApplied();
      // Of other partitions everything is told as ever.
      const told = sayIn(other);
      for (const client of [c, d]) await hearsAfterPositions(client, told);
      expect(d.names).toEqual([]);

      mend();
      for (const client of [c, d]) await client.take('account:changed');
      // What was held back is to be synced.
      expect((await c.take('position')).versions[group]).toBe(versionOf(group));
      expect((await d.take('position')).versions).not.toHaveProperty(group);
      await hearsAfterPositions(c, sayIn(group));
      await world.untilHeard();
      expect(d.names).toEqual([]);
    });

    it('hold up no removal, and bring back who was added again', async () => {
      await jump();
      world.messaging.log.remove(group, dave);
      expect(await d.take('conversation:removed')).toMatchObject({ conversationId: group });
      sayIn(group);
      world.messaging.log.add(group, dave);
      await world.untilApplied();
      mend();
      for (const client of [c, d]) {
        await client.take('account:changed');
        expect((await client.take('position')).versions[group]).toBe(versionOf(group));
      }
      const after = sayIn(group);
      for (const client of [c, d]) await hearsAfterPositions(client, after);
    });

    it('make who was removed come back, where `sync` was not to say so before the row came', async () => {
      await jump(async () => {
        world.messaging.log.remove(group, dave);
        world.messaging.accountChanges = [{ state: 'left', conversationId: group }];
        const answer = await d.ask('sync', {
          epoch: world.messaging.epoch,
          accountCursor: 'cursor-1',
          versions: {},
        });
        world.messaging.accountChanges = [];
        // The row of the removal, which is on its way, is to tell it.
        expect(answer).toMatchObject({ ok: true, account: { cursor: 'cursor-2', changes: [] } });
      });
      mend();
      expect(await d.take('session:closing')).toMatchObject({ code: 'internal', reconnect: true });
      await c.take('account:changed');
    });
  });

  it('make those come back who are in more conversations than can be named, when they are too many', async () => {
    const carol = aUser();
    const log = world.messaging.log;
    const ids = Array.from(
      { length: limits.readyConversationsMax + 1 },
      () => log.create('group', [carol], 6).id,
    );
    await world.untilApplied();
    const c = await world.connect(carol, 0);
    world.messaging.onRow = () => undefined;
    // The last one is not among those that an answer about memberships names.
    for (let i = 0; i < 2_500; i += 1) log.rename(ids.at(-1) ?? '', `title ${i}`);
    await world.messaging.announcingHeads(async () => {
      expect(await c.take('session:closing')).toMatchObject({ code: 'internal', reconnect: true });
      for (const client of [a, b]) await client.take('account:changed');
    });
  });

  it('end every socket when the deployment was restored, and new ones get the new epoch', async () => {
    const before = world.messaging.epoch;
    world.messaging.restore();
    await world.messaging.announcingHeads(async () => {
      for (const client of [a, b]) {
        expect(await client.take('session:closing')).toMatchObject({ code: 'internal', reconnect: true });
      }
      for (const node of world.nodes.keys()) await world.untilReady(node);
    });
    const client = world.open({ token: await world.token(alice) });
    const { epoch } = await client.take('ready');
    expect(epoch).toBe(world.messaging.epoch);
    expect(epoch).not.toBe(before);
    const fresh = world.messaging.log.create('group', [alice]).id;
    expect(await client.take('conversation:created')).toMatchObject({ conversationId: fresh });
  });
});
