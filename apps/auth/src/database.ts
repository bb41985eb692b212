import { clientTls, type DatabaseConfig, type DatabaseSettings } from '@parley/service';
import { CreateAccounts1700000000000 } from './migrations/1700000000000-create-accounts';
import { DisplayNames1764300000000 } from './migrations/1764300000000-display-names';
import { OutboxEntry } from './outbox/outbox.entity';
import { SessionRow } from './session/session.entity';
import { CredentialRow, UserRow } from './user/user.entity';

/** Auth's own part of the database, for the running service and for `migrate.ts` alike. */
export function databaseSettings(config: DatabaseConfig): DatabaseSettings {
  return {
    url: config.DATABASE_URL,
    tls: clientTls('DATABASE', config),
    schema: 'auth',
    entities: [UserRow, CredentialRow, SessionRow, OutboxEntry],
    migrations: [CreateAccounts1700000000000, DisplayNames1764300000000],
    poolMax: config.DATABASE_POOL_MAX,
  };
}
