import type { AccountEvent, HeadsEnvelope, Notification } from '@parley/contracts';
import { LANES, partitionOf } from '@parley/contracts';
import { formerRelease, freshDatabase, freshVhost, until } from '@parley/testing';
import { Client } from 'pg';
import { Instance } from './testing/instance';
import { MessagingPeer, PresencePeer } from './testing/peers';

type Listed = Pick<
  Notification,
  'type' | 'conversationId' | 'messageId' | 'number' | 'senderId' | 'createdAt'
>;

/** All kinds of rows are in the recording but the end of a conversation, and rows of a small group and of a pair. */
describe('what the release before wrote', () => {
  const former = formerRelease();
  const { conversationId, rows } = former;
  const partition = partitionOf(conversationId);
  let databaseUrl: string;
  let messaging: MessagingPeer;
  let presence: PresencePeer;
  let instance: Instance;

  const people = new Set(
    rows.flatMap((row) => ('members' in row ? row.members.map((one) => one.userId) : [])),
  );
  const mentioned = rows.flatMap((row) => (row.kind === 'message.created' ? row.message.mentions : []));
  /** Has every message on a socket. */
  const connected = mentioned[0] ?? '';

  beforeAll(async () => {
    let amqpUrl: string;
    [amqpUrl, databaseUrl] = await Promise.all([freshVhost(), freshDatabase()]);
    messaging = await new MessagingPeer(amqpUrl).start();
    messaging.epoch = former.epoch;
    presence = await new PresencePeer(amqpUrl).start();
    presence.connected.add(connected);
    // All were there before it began, and not since.
    for (const userId of people) presence.lastSeenAt.set(userId, new Date(0).toISOString());
    instance = await Instance.start({
      DATABASE_URL: databaseUrl,
      AMQP_URL: amqpUrl,
      NOTIFICATION_KEPT_PER_USER: '1000',
    });
    await instance.ready(200, 'ok');
    // Whoever takes a lane reads the log: after that, only what is told makes it read again.
    const lanes = () => instance.metric('notification_lanes');
    await until('every lane is taken', async () => (await lanes()) === LANES);
  });

  afterAll(async () => {
    await instance.service.close();
    await Promise.all([messaging.stop(), presence.stop()]);
  });

  const rowsApplied = (count: number) =>
    until(
      `${count} rows are applied`,
      async () => (await instance.metric('notification_rows_total')) >= count,
    );

  /**
   * Newest first: mentions, and for who is offline every message of others, while the user was a member; nothing of what
   * the user has left in the end.
   */
  function missedBy(userId: string): Listed[] {
    const inside = new Set<string>();
    const missed: Listed[] = [];
    for (const row of rows) {
      if (row.kind === 'conversation.created' && row.members.some((one) => one.userId === userId))
        inside.add(row.conversationId);
      if (row.kind === 'member.changed' && row.member.userId === userId) {
        if (row.change === 'added') inside.add(row.conversationId);
        else if (row.change === 'removed') inside.delete(row.conversationId);
      }
      if (row.kind !== 'message.created' || !inside.has(row.conversationId)) continue;
      const { id: messageId, conversationId, number, senderId, createdAt, mentions } = row.message;
      const type = mentions.includes(userId) ? 'mention' : 'message';
      if (senderId === userId || (type === 'message' && userId === connected)) continue;
      missed.push({ type, conversationId, messageId, number, senderId, createdAt });
    }
    return missed
      .filter((one) => inside.has(one.conversationId))
      .sort((a, b) => b.createdAt.localeCompare(a.createdAt) || b.number - a.number);
  }

  it('heads bring rows whose envelopes got lost', async () => {
    const head = Math.max(
      ...former.bodiesOf<HeadsEnvelope>('heads').map(({ heads }) => heads[partition] ?? 0),
    );
    const ofPartition = rows.filter((row) => partitionOf(row.conversationId) === partition);
    const lost = ofPartition.filter(({ position }) => position <= head);
    expect(lost).toHaveLength(head);
    messaging.log.rows.set(partition, lost);
    // Rows that a head announces may be on their way: they are fetched when it comes again.
    for (let times = 0; times < 2; times += 1) former.replay(messaging.broker, 'heads');
    await rowsApplied(lost.length);
  });

  it('rows make an entry for everybody who missed a message, and none for anybody else', async () => {
    // The log of the world has no more rows than before: what is refused comes from nowhere else.
    former.replay(messaging.broker, 'events');
    await rowsApplied(rows.length);
    expect(people.size).toBeGreaterThan(3);
    for (const userId of people) {
      const { body } = await instance.get<{ items: Listed[] }>(userId, '/v1/notifications?limit=100');
      const missed = missedBy(userId);
      expect(body.items).toMatchObject(missed);
      expect(body.items).toHaveLength(missed.length);
    }
    expect(missedBy(connected).map(({ type }) => type)).toEqual(['mention']);
    expect(await instance.metric('notification_rows_total')).toBe(rows.length);
    await instance.shows('notification_parked_events', 0);
  });

  it('names are kept', async () => {
    const changed = former
      .bodiesOf<AccountEvent>('accounts')
      .flatMap((event) => (event.kind === 'user.changed' ? [event] : []));
    former.replay(messaging.broker, 'accounts');
    const database = new Client({ connectionString: databaseUrl });
    await database.connect();
    const profiles = async () => {
      const { rows } = await database.query('select user_id, display_name from notification.profiles');
      return rows.length >= changed.length && (rows as unknown[]);
    };
    expect(await until('the names are there', profiles)).toEqual(
      changed.map(({ user }) => ({ user_id: user.id, display_name: user.displayName })),
    );
    await database.end();
  });
});
