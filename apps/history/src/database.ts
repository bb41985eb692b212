import { clientTls, type DatabaseConfig, type DatabaseSettings } from '@parley/service';
import { View1764000000000 } from './migrations/1764000000000-view';

/** History's own part of the database, for the service, `migrate.ts` and `replay-parked.ts` alike. */
export function databaseSettings(config: DatabaseConfig): DatabaseSettings {
  return {
    url: config.DATABASE_URL,
    tls: clientTls('DATABASE', config),
    schema: 'history',
    entities: [],
    migrations: [View1764000000000],
    poolMax: config.DATABASE_POOL_MAX,
  };
}
