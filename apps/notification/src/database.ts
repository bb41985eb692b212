import { clientTls, type DatabaseConfig, type DatabaseSettings } from '@parley/service';
import { Notifications1764000000000 } from './migrations/1764000000000-notifications';
import { ParkedReplay1764100000000 } from './migrations/1764100000000-parked-replay';
import { Partitions1764200000000 } from './migrations/1764200000000-partitions';

/** Notification's own part of the database, for the service and `migrate.ts` alike. */
export function databaseSettings(config: DatabaseConfig): DatabaseSettings {
  return {
    url: config.DATABASE_URL,
    tls: clientTls('DATABASE', config),
    schema: 'notification',
    entities: [],
    migrations: [Notifications1764000000000, ParkedReplay1764100000000, Partitions1764200000000],
    poolMax: config.DATABASE_POOL_MAX,
  };
}

/** The feed's own connections: a storm of readers does not hold it up, and a large partition may take its time. */
export const feedConnections = { name: 'feed', poolMax: 2, extra: { statement_timeout: 20_000 } };
