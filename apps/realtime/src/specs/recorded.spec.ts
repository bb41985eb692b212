import { randomUUID } from 'node:crypto';
import type {
  AccountEvent,
  DigestEnvelope,
  HeadsEnvelope,
  LogEvent,
  PresenceEntry,
  UserEvent,
} from '@parley/contracts';
import { partitionOf } from '@parley/contracts';
import { formerRelease, until } from '@parley/testing';
import type { Client } from '../testing/client';
import { aUser, World } from '../testing/world';

type Of<Event extends { kind: string }, Kind extends Event['kind']> = Extract<Event, { kind: Kind }>;
type Heard = [event: string, version: number | null][];

/** All kinds of rows are in the recording but the end of a conversation. */
describe('what the release before wrote', () => {
  const former = formerRelease();
  const { conversationId } = former;
  const rows = former.rows.filter((row) => row.conversationId === conversationId);
  const [founding] = rows as [Of<LogEvent, 'conversation.created'>];
  const moves = rows.filter((row) => row.kind === 'member.changed');
  const [owner, ...others] = founding.members.map(({ userId }) => userId) as [string, ...string[]];
  const guest = moves.find(({ change }) => change === 'removed')?.member.userId ?? '';
  const steady = others.find((userId) => userId !== guest) ?? '';
  const stranger = aUser();
  const event = <Event extends { kind: string }, Kind extends Event['kind']>(
    of: 'users' | 'accounts',
    kind: Kind,
  ) => former.bodiesOf<Event>(of).find((one) => one.kind === kind) as Of<Event, Kind>;

  let world: World;
  const clients = new Map<string, Client>();
  const clientOf = (userId: string) => clients.get(userId) as Client;

  beforeAll(async () => {
    world = await World.start({ nodes: 0 });
    world.messaging.epoch = former.epoch;
    for (let node = 0; node < 2; node += 1) await world.startNode();
    const everybody = [owner, steady, guest, stranger];
    for (const [i, userId] of everybody.entries()) clients.set(userId, await world.connect(userId, i % 2));
  });
  afterAll(() => world.stop());

  const broker = () => world.messaging.peer.broker;

  /** What a user is told of the group: nothing of what happened before they came or after they went. */
  function toldTo(userId: string, of: LogEvent[]): Heard {
    let isInside = false;
    return of.flatMap((row): Heard => {
      const moved = row.kind === 'member.changed' && row.member.userId === userId ? row.change : undefined;
      const wasInside = isInside;
      if (row.kind === 'conversation.created')
        isInside = row.members.some((member) => member.userId === userId);
      else if (moved) isInside = moved !== 'removed';
      if (wasInside !== isInside)
        return [[isInside ? 'conversation:created' : 'conversation:removed', row.version]];
      return isInside ? [[row.kind.replace('.', ':'), row.version]] : [];
    });
  }

  const heardBy = (userId: string): Heard =>
    clientOf(userId).events.flatMap(([event, payload]): Heard => {
      const told = payload as { conversationId?: string; version: number };
      return told.conversationId === conversationId ? [[event, told.version]] : [];
    });

  async function allHear(of: LogEvent[]): Promise<void> {
    for (const userId of clients.keys()) {
      const told = toldTo(userId, of);
      await until('as much is heard as was told', () => heardBy(userId).length >= told.length);
      expect(heardBy(userId)).toEqual(told);
    }
  }

  it('heads bring rows whose envelopes got lost', async () => {
    const partition = partitionOf(conversationId);
    const head = Math.max(
      ...former.bodiesOf<HeadsEnvelope>('heads').map(({ heads }) => heads[partition] ?? 0),
    );
    const isLost = (row: LogEvent) => partitionOf(row.conversationId) === partition && row.position <= head;
    const lost = former.rows.filter(isLost);
    expect(lost).toHaveLength(head);
    world.messaging.log.rows[partition]?.push(...lost);
    former.replay(broker(), 'heads');
    await allHear(rows.filter(isLost));
  });

  it('rows come to every member on every node, in order and once, and to nobody else', async () => {
    // The log of the world has no more rows than before: what is refused comes from nowhere else.
    former.replay(broker(), 'events');
    await allHear(rows);
    expect(heardBy(guest).map(([event]) => event)).toContain('conversation:removed');
    expect(clientOf(stranger).names).toEqual([]);
  });

  it('digests tell members which versions are newest', async () => {
    const [digest] = former.bodiesOf<DigestEnvelope>('digest');
    former.replay(broker(), 'digest');
    const { versions } = await clientOf(owner).take('position');
    expect(versions[conversationId]).toBe(digest?.versions[conversationId]);
    await clientOf(guest).take('position');
  });

  it('single users are told of their accounts and notifications', async () => {
    const changed = event<UserEvent, 'account.changed'>('users', 'account.changed');
    const noted = event<UserEvent, 'notification.created'>('users', 'notification.created');
    expect([changed.userIds, noted.userId]).toEqual([[owner], steady]);
    former.replay(broker(), 'users');
    expect(await clientOf(owner).take('account:changed')).toEqual({});
    expect(await clientOf(steady).take('notification:created')).toEqual({ notification: noted.notification });
    await world.untilHeard();
    expect(clientOf(guest).names).not.toContain('notification:created');
  });

  it('a name is told, and a session ends', async () => {
    const { user } = event<AccountEvent, 'user.changed'>('accounts', 'user.changed');
    const { userId, sessionId } = event<AccountEvent, 'session.revoked'>('accounts', 'session.revoked');
    const named = await world.connect(user.id, 0);
    const ended = await world.connect(userId, 1, sessionId);
    const other = await world.connect(userId, 1, randomUUID());
    former.replay(broker(), 'accounts');
    expect(await named.take('user:changed')).toEqual({ user });
    expect(await ended.take('session:revoked')).toEqual({ sessionId });
    expect(await ended.take('session:closing')).toMatchObject({ code: 'session_revoked' });
    await world.untilHeard();
    expect(other.names).toEqual([]);
  });

  it('presence reaches who watches, in order', async () => {
    const told = former.bodiesOf<PresenceEntry[]>('presence');
    const userIds = [owner, steady];
    await clientOf(stranger).ask('presence:watch', { userIds });
    former.replay(broker(), 'presence');
    for (const items of told) {
      const watched = items.filter(({ userId }) => userIds.includes(userId));
      if (watched.length === 0) continue;
      expect(await clientOf(stranger).take('presence:changed')).toEqual({ items: watched });
    }
  });
});
