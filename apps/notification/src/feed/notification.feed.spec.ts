import { randomUUID } from 'node:crypto';
import { Broker, ControlInbox, Publisher, Requester } from '@parley/broker';
import { partitionOf } from '@parley/contracts';
import { getLogger, loadConfig, runMigrations } from '@parley/service';
import { freshDatabase, freshVhost } from '@parley/testing';
import fc from 'fast-check';
import { Pool } from 'pg';
import { schema } from '../config';
import { databaseSettings } from '../database';
import { NotificationStore } from '../notification/notification.store';
import { Pruner } from '../notification/pruner';
import { PresencePeer } from '../testing/peers';
import { beginning, play, step } from '../testing/story';
import { BatchApplier } from './batch.applier';
import { ConversationCache } from './conversation.cache';
import { EntryMaker } from './entry.maker';
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
  const entries = new EntryMaker(lookup, new Publisher(broker), pruner, config);
  const applier = new BatchApplier(store, cache, entries, config);
  return new NotificationFeed(store, cache, applier);
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
      const { batch, entries, memberships } = play([...beginning, ...steps], partition, SMALL);
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
      expect(await stored(partition)).toEqual({ entries, memberships });
    }),
    { numRuns: 25 },
  );
});

test('who is left of a group that becomes small within one batch gets an entry for each message', async () => {
  await pool.query('truncate notifications');
  const partition = partitionOf(randomUUID());
  // The third of the beginning's conversations, of seven.
  const conversation = 2;
  const leave = [3, 4, 5, 6].map((user) => ({ kind: 'remove' as const, conversation, user }));
  const steps = [...beginning, ...leave, { kind: 'send' as const, conversation, user: 0, mentions: [] }];
  const { batch, entries, memberships } = play(steps, partition, SMALL);
  const feed = makeFeed();
  await feed.load([partition], 'epoch-of-a-shrinking-group');
  await feed.apply([{ partition, rows: batch.rows.slice(0, beginning.length) }]);
  await feed.apply([{ partition, rows: batch.rows.slice(beginning.length) }]);
  expect(entries).toHaveLength(2);
  expect(await stored(partition)).toEqual({ entries, memberships });
});
