import { randomUUID } from 'node:crypto';
import { Broker, ControlInbox, Publisher, Requester } from '@parley/broker';
import { unavailable } from '@parley/contracts';
import { brokerSettings, type DatabaseConfig, loadConfig, pgPool, typeormOptions } from '@parley/service';
import type { Pool } from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { feedSchema } from '../config';
import { databaseSettings, feedConnections } from '../database';
import { EntryMaker } from '../feed/entry.maker';
import { FeedStore } from '../feed/feed.store';
import { PresenceLookup } from '../feed/presence.lookup';
import { NotificationStore } from '../notification/notification.store';
import { Pruner } from '../notification/pruner';
import { ParkedReplay } from './parked.replay';
import { ParkedStore } from './parked.store';

/** So long a command waits for the broker before it gives up. */
const BROKER_WAIT_MS = 5_000;

/** Notification's database without an application, with the patience of the feed. */
export async function withDatabase<T>(config: DatabaseConfig, work: (pool: Pool) => Promise<T>): Promise<T> {
  const { poolMax, extra } = feedConnections;
  const settings = typeormOptions({ ...databaseSettings(config), poolMax, extra });
  const dataSource = new DataSource(settings as DataSourceOptions);
  await dataSource.initialize();
  try {
    return await work(pgPool(dataSource));
  } finally {
    await dataSource.destroy();
  }
}

/** What a replay takes, beside a feed that runs or does not. The broker is asked as an instance of its own. */
export async function withReplay<T>(
  environment: NodeJS.ProcessEnv,
  complain: (text: string) => void,
  work: (store: ParkedStore, replay: ParkedReplay) => Promise<T>,
): Promise<T> {
  const config = { ...loadConfig(feedSchema, environment), INSTANCE_ID: `operator-${randomUUID()}` };
  return withDatabase(config, async (pool) => {
    const broker = new Broker({
      ...brokerSettings(config),
      service: 'notification',
      logger: {
        info: () => undefined,
        warn: (details, message) => complain(`${message} ${JSON.stringify(details)}`),
        error: (details, message) => complain(`${message} ${JSON.stringify(details)}`),
      },
    });
    const requester = new Requester(broker, new ControlInbox(broker));
    const pruner = new Pruner(new NotificationStore(pool, config.NOTIFICATION_KEPT_PER_USER));
    const presence = new PresenceLookup(requester);
    try {
      await connect(broker);
      const entries = new EntryMaker(presence, new Publisher(broker), pruner, config);
      const store = new ParkedStore(pool);
      const replay = new ParkedReplay(store, new FeedStore(pool), requester, entries, config);
      return await work(store, replay);
    } finally {
      await pruner.settled();
      presence.onApplicationShutdown();
      requester.stop();
      await broker.stop();
    }
  });
}

async function connect(broker: Broker): Promise<void> {
  broker.start();
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(unavailable('RabbitMQ cannot be reached.')), BROKER_WAIT_MS);
  });
  await Promise.race([broker.whenConnected(), tooLate]).finally(() => clearTimeout(timer));
}
