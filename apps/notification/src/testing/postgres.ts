import { databaseConfig, runMigrations } from '@parley/service';
import { freshDatabase } from '@parley/testing';
import { Pool } from 'pg';
import { databaseSettings } from '../database';

/** An empty database of notification's, by one connection, for what looks at the statements themselves. Specs only. */
export async function freshPostgres(): Promise<Pool> {
  const config = databaseConfig.parse({ DATABASE_URL: await freshDatabase() });
  await runMigrations(databaseSettings(config));
  return new Pool({
    connectionString: config.DATABASE_URL,
    options: '-c search_path=notification',
    max: 1,
  });
}
