import { clientTls, type DatabaseConfig, type DatabaseSettings } from '@parley/service';
import { Log1764000000000 } from './migrations/1764000000000-log';
import { Projections1764100000000 } from './migrations/1764100000000-projections';
import { MembershipsEnded1764200000000 } from './migrations/1764200000000-memberships-ended';
import { ChannelSearch1764300000000 } from './migrations/1764300000000-channel-search';

/** Messaging's own part of the database, for the service and `migrate.ts` alike. */
export function databaseSettings(config: DatabaseConfig): DatabaseSettings {
  return {
    url: config.DATABASE_URL,
    tls: clientTls('DATABASE', config),
    schema: 'messaging',
    entities: [],
    migrations: [
      Log1764000000000,
      Projections1764100000000,
      MembershipsEnded1764200000000,
      ChannelSearch1764300000000,
    ],
    poolMax: config.DATABASE_POOL_MAX,
  };
}
