import type { mongo } from 'mongoose';
import type { Pool } from 'pg';

/**
 * Which deployment a log in MongoDB belongs to. A log and its projection are two databases, which can be restored apart:
 * then they must not be used together.
 */
interface Origin {
  _id: 'log';
  epoch: string;
}

function origins(database: mongo.Db): mongo.Collection<Origin> {
  return database.collection<Origin>('messaging_deployment');
}

/** Ties a new, empty log to this deployment, for `migrate.ts`. A log that is tied already is left as it is. */
export async function claimLog(pool: Pool, database: mongo.Db): Promise<void> {
  await refuseOtherLog(pool);
  if (await origins(database).findOne({ _id: 'log' })) return;
  const { rows } = await pool.query<{ epoch: string; is_projected: boolean }>(
    `select epoch, exists (select from projections where position > 0) as is_projected from deployment`,
  );
  const { epoch, is_projected: isProjected } = rows[0]!;
  if (isProjected)
    throw new Error('MongoDB holds no log, but PostgreSQL the projection of one: restore both.');
  // Of two at once the second finds it there.
  await origins(database).updateOne({ _id: 'log' }, { $setOnInsert: { epoch } }, { upsert: true });
}

/** @throws Error when the log is not of this epoch, or when this deployment's log is in PostgreSQL. */
export async function checkLog(pool: Pool, database: mongo.Db): Promise<void> {
  await refuseOtherLog(pool);
  const { rows } = await pool.query<{ epoch: string }>('select epoch from deployment');
  const epoch = rows[0]?.epoch;
  const origin = await origins(database).findOne({ _id: 'log' });
  if (!origin) throw new Error('MongoDB holds no log of this deployment: run the migrations first.');
  if (origin.epoch !== epoch) {
    throw new Error(
      `The log in MongoDB is of epoch ${origin.epoch}, PostgreSQL of ${epoch}: one was restored without the other.`,
    );
  }
}

/** @throws Error when this deployment's log is in MongoDB. */
export async function refuseProjectedLog(pool: Pool): Promise<void> {
  if ((await pool.query('select 1 from projections where position > 0 limit 1')).rows.length > 0)
    throw new Error('The log of this deployment is in MongoDB: set MESSAGE_STORE=mongodb.');
}

/**
 * Gives the deployment another epoch, after a restore: whoever holds the old one starts afresh. Cut off in between, it
 * leaves two epochs, with which nothing starts, and is run again.
 */
export async function renewEpoch(pool: Pool, database: mongo.Db | undefined): Promise<string> {
  const { rows } = await pool.query<{ epoch: string }>(
    'update deployment set epoch = gen_random_uuid()::text returning epoch',
  );
  const { epoch } = rows[0]!;
  if (database) await origins(database).updateOne({ _id: 'log' }, { $set: { epoch } }, { upsert: true });
  return epoch;
}

async function refuseOtherLog(pool: Pool): Promise<void> {
  if ((await pool.query('select 1 from log limit 1')).rows.length > 0) {
    throw new Error('The log of this deployment is in PostgreSQL: set MESSAGE_STORE=postgresql.');
  }
}
