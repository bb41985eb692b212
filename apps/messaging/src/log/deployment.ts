import { PARTITIONS } from '@parley/contracts';
import type { Pool } from 'pg';

/** What is fixed for a deployment's life, or until a backup is restored. */
export class Deployment {
  constructor(
    /** Changes when a backup is restored; a client or consumer that holds another one starts afresh. */
    readonly epoch: string,
    /** Keys the hashes of requests. */
    readonly requestKey: Buffer,
  ) {}
}

/** Refuses to run on a log with another number of partitions. */
export async function loadDeployment(pool: Pool): Promise<Deployment> {
  const { rows } = await pool.query<{ epoch: string; partitions: number; request_key: Buffer }>(
    'select epoch, partitions, request_key from deployment',
  );
  const row = rows[0];
  if (!row) throw new Error('The database holds no deployment: run the migrations first.');
  if (row.partitions !== PARTITIONS) {
    throw new Error(`The log has ${row.partitions} partitions, this version ${PARTITIONS}.`);
  }
  return new Deployment(row.epoch, row.request_key);
}
