import { loadConfig } from '@parley/service';
import { Pool } from 'pg';
import { storeSchema } from '../config';
import { storeOf } from '../store';
import { postgres } from './store';

/** An empty view in PostgreSQL by one connection, for what looks at the statements themselves. Specs only. */
export async function freshPostgres(): Promise<{ pool: Pool; end: () => Promise<void> }> {
  const config = loadConfig(storeSchema, await postgres.fresh());
  await storeOf(config).migrate(config);
  const pool = new Pool({
    connectionString: config.DATABASE_URL,
    options: '-c search_path=history',
    max: 1,
  });
  return { pool, end: () => pool.end() };
}
