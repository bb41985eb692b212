import { PARTITIONS } from '@parley/contracts';
import { freshDatabase } from '@parley/testing';
import { runMigrations } from '@parley/service';
import { Pool } from 'pg';
import { databaseSettings } from '../database';
import { LeaseStore } from './lease.store';
import { LeaseKeeper } from './leases';

const all = Array.from({ length: PARTITIONS }, (_, partition) => partition);

describe('LeaseKeeper', () => {
  let pool: Pool;
  beforeAll(async () => {
    const url = await freshDatabase();
    await runMigrations(databaseSettings({ DATABASE_URL: url, DATABASE_POOL_MAX: 2 }));
    pool = new Pool({ connectionString: url, options: '-c search_path=messaging' });
  });
  afterAll(() => pool.end());

  it('succeeds a dead owner right after its lease, and keeps what it took while nobody misses the dead one', async () => {
    const dead = new LeaseStore(pool, 'dead');
    const taken = await dead.acquire(all.slice(0, PARTITIONS / 2));
    const handedOver: number[] = [];
    let announcements = 0;
    let wake = (): void => undefined;
    const keeper = new LeaseKeeper({
      store: new LeaseStore(pool, 'living'),
      instanceId: 'living',
      isReachable: () => true,
      // The dead one's heartbeats have not run out yet.
      instances: () => ['dead', 'living'],
      heardAt: () => 0,
      monotonic: () => performance.now(),
      open: () => Promise.resolve([]),
      close: (partition) => {
        handedOver.push(partition);
        return Promise.resolve();
      },
      drop: () => undefined,
      announce: (open) => {
        announcements = open.size === PARTITIONS ? announcements + 1 : 0;
        wake();
      },
      released: () => undefined,
      warn: () => undefined,
    });
    keeper.start();
    while (announcements < 4) await new Promise<void>((resolve) => (wake = resolve));
    expect(handedOver).toEqual([]);
    const { rows } = await pool.query<{ owner: string; term: string }>('select owner, term from leases');
    expect(new Set(rows.map(({ owner }) => owner))).toEqual(new Set(['living']));
    expect(rows.filter(({ term }) => Number(term) === 2)).toHaveLength(taken.size);
    await keeper.stop();
    expect(handedOver).toHaveLength(PARTITIONS);
  });
});
