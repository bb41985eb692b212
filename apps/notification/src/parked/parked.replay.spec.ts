import { randomUUID } from 'node:crypto';
import { Broker, ControlInbox, Publisher, Requester } from '@parley/broker';
import { type LogEvent, partitionOf } from '@parley/contracts';
import { getLogger, loadConfig, runMigrations } from '@parley/service';
import { freshDatabase, freshVhost } from '@parley/testing';
import fc from 'fast-check';
import { Pool } from 'pg';
import { feedSchema } from '../config';
import { databaseSettings } from '../database';
import { BatchApplier } from '../feed/batch.applier';
import { ConversationCache } from '../feed/conversation.cache';
import { EntryMaker } from '../feed/entry.maker';
import { FeedStore } from '../feed/feed.store';
import { NotificationFeed } from '../feed/notification.feed';
import { PresenceLookup } from '../feed/presence.lookup';
import { NotificationStore } from '../notification/notification.store';
import { Pruner } from '../notification/pruner';
import { MessagingPeer, PresencePeer } from '../testing/peers';
import { beginning, play, type Step, step } from '../testing/story';
import { ParkedReplay } from './parked.replay';
import { ParkedStore } from './parked.store';

const SMALL = 3;

let pool: Pool;
let broker: Broker;
let requester: Requester;
let messaging: MessagingPeer;
let presence: PresencePeer;
let config: ReturnType<typeof loadConfig<typeof feedSchema>>;

beforeAll(async () => {
  const [databaseUrl, amqpUrl] = await Promise.all([freshDatabase(), freshVhost()]);
  config = loadConfig(feedSchema, {
    DATABASE_URL: databaseUrl,
    AMQP_URL: amqpUrl,
    NOTIFICATION_SMALL_GROUP_MEMBERS_MAX: String(SMALL),
  });
  await runMigrations(databaseSettings(config));
  pool = new Pool({ connectionString: databaseUrl, options: '-c search_path=notification' });
  messaging = await new MessagingPeer(amqpUrl).start();
  presence = await new PresencePeer(amqpUrl).start();
  const instanceId = randomUUID();
  broker = new Broker({ url: amqpUrl, service: 'notification', instanceId, logger: getLogger('Replay') });
  requester = new Requester(broker, new ControlInbox(broker));
  broker.start();
  await broker.whenConnected();
});

afterAll(async () => {
  requester.stop();
  await Promise.all([broker.stop(), messaging.stop(), presence.stop(), pool.end()]);
});

/** An instance that feeds, and an operator beside it: they share nothing but the database. */
function makeBoth() {
  const entries = () =>
    new EntryMaker(
      new PresenceLookup(requester),
      new Publisher(broker),
      new Pruner(new NotificationStore(pool, 1000)),
      config,
    );
  const [cache, store] = [new ConversationCache(2 * SMALL), new FeedStore(pool)];
  const feed = new NotificationFeed(store, cache, new BatchApplier(store, cache, entries(), config));
  const parked = new ParkedStore(pool);
  return {
    feed,
    parked,
    replay: new ParkedReplay(parked, new FeedStore(pool), requester, entries(), config),
  };
}

async function keysOf(text: string, values: unknown[] = []): Promise<string[]> {
  const { rows } = await pool.query<{ key: string }>(text, values);
  return rows.map(({ key }) => key).sort();
}

/** Somebody joins a small group, which nobody reads until a message is there: with it the group is small no longer. */
const grownMeanwhile: [Step[], Choice] = [
  [
    { kind: 'add', conversation: 1, user: 3 },
    { kind: 'send', conversation: 1, user: 0, mentions: [] },
  ],
  { broken: [0.9], cut: 0.9, late: Array(12).fill(false), onlyMessages: false },
];

interface Choice {
  broken: number[];
  cut: number;
  late: boolean[];
  onlyMessages: boolean;
}

/** Rows to break, as shares of the story's length. */
const shares = fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1, maxLength: 12 });

test('whatever is parked, mended in whatever order and replayed, leads to where the sound log leads', async () => {
  const partition = partitionOf(randomUUID());
  let epoch = 0;
  const choices = fc.record({
    broken: shares,
    cut: fc.double({ min: 0.3, max: 1, noNaN: true }),
    late: fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
    onlyMessages: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 100 }), choices, async (steps, choice) => {
      await pool.query('truncate notifications');
      const story = play([...beginning, ...steps], partition, SMALL);
      const { rows } = story.batch;
      const sound = [...rows];
      const half = Math.floor(rows.length * choice.cut);
      const breakable = ({ kind }: LogEvent) => !choice.onlyMessages || kind === 'message.created';
      const broken = [...new Set(choice.broken.map((share) => Math.floor(half * share)))].filter((i) =>
        breakable(sound[i] as LogEvent),
      );
      for (const i of broken) rows[i] = { ...(sound[i] as LogEvent), kind: 'of.later' } as never;
      messaging.log = story.log;
      messaging.epoch = `epoch-${++epoch}`;

      const { feed, parked, replay } = makeBoth();
      const takeUp = async () => {
        let failed = 0;
        for await (const [, outcome] of replay.run(partition, await parked.ofPartition(partition, 100)))
          if ('reason' in outcome) failed += 1;
        return failed;
      };
      await feed.load([partition], messaging.epoch);
      await feed.apply([{ partition, rows: rows.slice(0, half) }]);
      expect(await parked.totals()).toMatchObject({ parked: broken.length });
      // Some are mended later than others, as one release after another would.
      for (const [n, i] of broken.entries()) if (!choice.late[n]) rows[i] = sound[i] as LogEvent;
      if (broken.length > 0) await takeUp();
      for (const i of broken) rows[i] = sound[i] as LogEvent;
      if ((await parked.totals()).parked > 0) expect(await takeUp()).toBe(0);
      expect(await parked.totals()).toMatchObject({ parked: 0 });
      const second = rows.slice(half);
      if (second.length > 0) await feed.apply([{ partition, rows: second }]);

      const memberships = await keysOf(
        `select conversation_id || ' ' || user_id as key from members join conversations c on c.id = conversation_id
         where c.partition = $1`,
        [partition],
      );
      expect(memberships).toEqual(story.memberships);
      const entries = await keysOf(
        `select type || ' ' || message_id || ' ' || user_id as key from notifications`,
      );
      const messagesOf = (some: LogEvent[]) =>
        new Set(some.map((row) => (row.kind === 'message.created' ? row.message.id : '')));
      const among = (keys: string[], messages: Set<string>) =>
        keys.filter((key) => messages.has(key.split(' ')[1] ?? ''));
      // Of a conversation that is gone nobody sees an entry, so none is made up for.
      const visible = messagesOf(sound.filter(({ conversationId }) => story.living.has(conversationId)));
      const later = messagesOf(second);
      expect(entries).toEqual(expect.arrayContaining(among(story.entries, visible)));
      // Once replayed, nobody's memory of a conversation is an old one.
      expect(among(entries, later)).toEqual(among(story.entries, later));
      // Where memberships were never unknown, nobody got one too many.
      if (choice.onlyMessages) expect(among(entries, visible)).toEqual(among(story.entries, visible));
    }),
    { numRuns: 40, examples: [grownMeanwhile] },
  );
});
