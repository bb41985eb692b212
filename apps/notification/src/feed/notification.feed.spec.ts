import { randomUUID } from 'node:crypto';
import { Broker, ControlInbox, Publisher, Requester } from '@parley/broker';
import { type Conversation, type PartitionRows, partitionOf } from '@parley/contracts';
import { getLogger, loadConfig, runMigrations } from '@parley/service';
import { freshDatabase, freshVhost } from '@parley/testing';
import fc from 'fast-check';
import { Pool } from 'pg';
import { schema } from '../config';
import { databaseSettings } from '../database';
import { NotificationStore } from '../notification/notification.store';
import { Pruner } from '../notification/pruner';
import { LogWriter } from '../testing/log';
import { PresencePeer } from '../testing/peers';
import { BatchApplier } from './batch.applier';
import { ConversationCache } from './conversation.cache';
import { FeedStore } from './feed.store';
import { NotificationFeed } from './notification.feed';
import { PresenceLookup } from './presence.lookup';

const SMALL = 3;

let pool: Pool;
let broker: Broker;
let requester: Requester;
let presence: PresencePeer;
let config: ReturnType<typeof loadConfig<typeof schema>>;

beforeAll(async () => {
  const [databaseUrl, amqpUrl] = await Promise.all([freshDatabase(), freshVhost()]);
  config = loadConfig(schema, {
    DATABASE_URL: databaseUrl,
    AMQP_URL: amqpUrl,
    JWT_PUBLIC_KEYS_FILE: 'none',
    NOTIFICATION_SMALL_GROUP_MEMBERS_MAX: String(SMALL),
    PORT: '0',
  });
  await runMigrations(databaseSettings(config));
  pool = new Pool({ connectionString: databaseUrl, options: '-c search_path=notification' });
  presence = await new PresencePeer(amqpUrl).start();
  broker = new Broker({
    url: amqpUrl,
    service: 'notification',
    instanceId: randomUUID(),
    logger: getLogger('Feed'),
  });
  requester = new Requester(broker, new ControlInbox(broker));
  broker.start();
  await broker.whenConnected();
});

afterAll(async () => {
  requester.stop();
  await Promise.all([broker.stop(), presence.stop(), pool.end()]);
});

/** What one instance has in memory; all share the database. */
function makeFeed(): NotificationFeed {
  const store = new FeedStore(pool);
  const cache = new ConversationCache(2 * SMALL);
  const pruner = new Pruner(new NotificationStore(pool, 1000));
  const lookup = new PresenceLookup(requester);
  const applier = new BatchApplier(store, cache, lookup, new Publisher(broker), pruner, config);
  return new NotificationFeed(store, cache, applier);
}

type Step =
  | { kind: 'create'; type: Conversation['type']; users: number[] }
  | { kind: 'add' | 'remove'; conversation: number; user: number }
  | { kind: 'send'; conversation: number; user: number; mentions: number[] }
  | { kind: 'delete'; conversation: number };

const user = fc.nat({ max: 7 });
const conversation = fc.nat({ max: 3 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('create' as const),
    type: fc.constantFrom('direct' as const, 'group' as const, 'channel' as const),
    users: fc.uniqueArray(user, { minLength: 2, maxLength: 8 }),
  }),
  {
    arbitrary: fc.record({ kind: fc.constantFrom('add' as const, 'remove' as const), conversation, user }),
    weight: 8,
  },
  {
    arbitrary: fc.record({
      kind: fc.constant('send' as const),
      conversation,
      user,
      mentions: fc.uniqueArray(user, { maxLength: 3 }),
    }),
    weight: 16,
  },
  fc.record({ kind: fc.constant('delete' as const), conversation }),
);

/** Every story begins with one conversation of each kind. */
const beginning: Step[] = [
  { kind: 'create', type: 'direct', users: [0, 1] },
  { kind: 'create', type: 'group', users: [0, 1, 2] },
  { kind: 'create', type: 'group', users: [0, 1, 2, 3, 4, 5, 6] },
  { kind: 'create', type: 'channel', users: [0, 1, 2, 3] },
];

/** Plays the steps into a log of one partition, and says who must have what entry and who is where in the end. */
function play(steps: Step[], partition: number) {
  const log = new LogWriter();
  const people = Array.from({ length: 8 }, () => randomUUID());
  const person = (index: number) => people[index] as string;
  const alive: { id: string; type: Conversation['type']; members: Set<string> }[] = [];
  const entries: string[] = [];
  const suffix = partition.toString(16).padStart(6, '0');
  for (const one of steps) {
    if (one.kind === 'create') {
      if (alive.length === 4) continue;
      const members = one.users.map(person).slice(0, one.type === 'direct' ? 2 : 8);
      const id = log.create(one.type, members, `${randomUUID().slice(0, -6)}${suffix}`);
      alive.push({ id, type: one.type, members: new Set(members) });
      continue;
    }
    const target = alive[one.conversation];
    if (!target) continue;
    const { id, members } = target;
    if (one.kind === 'delete') {
      log.delete(id);
      alive.splice(one.conversation, 1);
    } else if (one.kind === 'send') {
      const sender = person(one.user);
      const mentions = one.mentions.map(person);
      const message = log.send(id, sender, mentions);
      const isSmall = target.type === 'direct' || (target.type === 'group' && members.size <= SMALL);
      for (const userId of members) {
        if (userId === sender) continue;
        if (mentions.includes(userId)) entries.push(`mention ${message.id} ${userId}`);
        else if (isSmall) entries.push(`message ${message.id} ${userId}`);
      }
    } else if (target.type !== 'direct' && members.has(person(one.user)) !== (one.kind === 'add')) {
      if (one.kind === 'add') members.add(person(one.user));
      else members.delete(person(one.user));
      log[one.kind](id, person(one.user));
    }
  }
  const memberships = alive.flatMap(({ id, members }) => [...members].map((userId) => `${id} ${userId}`));
  const batch: PartitionRows = { partition, rows: log.rows.get(partition) ?? [] };
  return { batch, entries: entries.sort(), memberships: memberships.sort() };
}

async function stored(partition: number) {
  const entries = await pool.query<{ key: string }>(
    `select type || ' ' || message_id || ' ' || user_id as key from notifications`,
  );
  const memberships = await pool.query<{ key: string }>(
    `select conversation_id || ' ' || user_id as key from members join conversations c on c.id = conversation_id
     where c.partition = $1`,
    [partition],
  );
  const keys = (rows: { key: string }[]) => rows.map(({ key }) => key).sort();
  return { entries: keys(entries.rows), memberships: keys(memberships.rows) };
}

test('however the log is cut and whoever takes which part, also twice, the lists are the same', async () => {
  let epoch = 0;
  const partition = partitionOf(randomUUID());
  const cuts = fc.array(
    fc.record({ feed: fc.nat({ max: 1 }), rows: fc.integer({ min: 1, max: 9 }), back: fc.nat({ max: 5 }) }),
    {
      minLength: 30,
      maxLength: 30,
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 60, maxLength: 150 }), cuts, async (steps, turns) => {
      await pool.query('truncate notifications');
      const { batch, ...expected } = play([...beginning, ...steps], partition);
      const feeds = [makeFeed(), makeFeed()];
      const name = `epoch-${++epoch}`;
      let position = 0;
      for (const feed of feeds) await feed.load([partition], name);
      let last: number | undefined;
      for (const { feed: index, rows, back } of [...turns, { feed: 0, rows: Infinity, back: 0 }]) {
        const feed = feeds[index] as NotificationFeed;
        // Whoever takes over reads the positions; somebody who was slow tells again what the other has stored.
        if (last !== index) position = (await feed.load([partition], name)).get(partition) ?? 0;
        last = index;
        const from = Math.max(0, position - back);
        const part = batch.rows.slice(from, position + rows);
        if (part.length === 0) continue;
        await feed.apply([{ partition, rows: part }]);
        position = Math.max(position, from + part.length);
      }
      expect(await stored(partition)).toEqual(expected);
    }),
    { numRuns: 25 },
  );
});
