import { PARTITIONS } from '@parley/contracts';
import { freshDatabase } from '@parley/testing';
import { runMigrations } from '@parley/service';
import { Pool } from 'pg';
import { databaseSettings } from '../database';
import { LEASE_MS, LeaseStore } from './lease.store';
import { LeaseKeeper, type LeaseKeeperOptions, type Unserved } from './leases';

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

  /** One instance alone, which has all partitions, from when it has announced them. */
  async function alone(name: string, hooks: Partial<LeaseKeeperOptions> = {}) {
    await pool.query(`update leases set owner = null, expires_at = '-infinity'`);
    const dropped: number[] = [];
    const released = new Set<number>();
    let wake = (): void => undefined;
    let open = new Map<number, number>();
    const keeper = new LeaseKeeper({
      store: new LeaseStore(pool, name),
      instanceId: name,
      isReachable: () => true,
      instances: () => [name],
      heardAt: () => 0,
      monotonic: () => performance.now(),
      open: () => Promise.resolve([]),
      close: () => Promise.resolve(),
      drop: (partition) => dropped.push(partition),
      announce: (now) => {
        open = now;
        wake();
      },
      released: (partitions) => {
        for (const partition of partitions) released.add(partition);
        wake();
      },
      warn: () => undefined,
      ...hooks,
    });
    const once = async (isSo: (open: Map<number, number>) => boolean) => {
      while (!isSo(open)) await new Promise<void>((resolve) => (wake = resolve));
    };
    return { keeper, dropped, released, once };
  }

  it('keeps what it has while new terms are long in beginning', async () => {
    let begin!: () => void;
    const slow = new Promise<Unserved[]>((resolve) => (begin = () => resolve([])));
    let terms = 0;
    const { keeper, dropped, once } = await alone('patient', {
      // All but one at first, which somebody else has; that one takes long.
      open: () => (terms++ === 0 ? Promise.resolve([]) : slow),
    });
    const other = new LeaseStore(pool, 'other');
    await other.acquire([7]);
    keeper.start();
    await once((open) => open.size === PARTITIONS - 1);
    await other.release([7]);
    keeper.look();
    const since = performance.now();
    // Longer than a lease lasts.
    await once(() => performance.now() - since > 2 * LEASE_MS);
    expect(dropped).toEqual([]);
    expect(all.filter((partition) => !keeper.isValid(partition))).toEqual([]);
    expect(keeper.partitions()).not.toContain(7);
    begin();
    await once((open) => open.size === PARTITIONS);
    await keeper.stop();
  });

  it('serves what could be begun, and begins the rest as soon as its log can be read', async () => {
    class Unreleasing extends LeaseStore {
      override release(partitions: number[]): Promise<void> {
        return partitions.length === 1 ? Promise.reject(new Error('away')) : super.release(partitions);
      }
    }
    const opened: number[] = [];
    const { keeper, dropped, once } = await alone('partial', {
      store: new Unreleasing(pool, 'partial'),
      open: (terms) => {
        opened.push(terms.size);
        return Promise.resolve(opened.length === 1 ? [{ partition: 7, isStopped: false }] : []);
      },
    });
    keeper.start();
    await once((open) => open.size === PARTITIONS - 1 && !open.has(7));
    await once((open) => open.size === PARTITIONS);
    expect(opened).toEqual([PARTITIONS, 1]);
    expect(dropped.filter((partition) => partition !== 7)).toEqual([]);
    await keeper.stop();
  });

  it('releases what has ended while another term takes longer to end', async () => {
    let end!: () => void;
    const slow = new Promise<void>((resolve) => (end = resolve));
    const { keeper, released, once } = await alone('leaving', {
      close: (partition) => (partition === 7 ? slow : Promise.resolve()),
    });
    keeper.start();
    await once((open) => open.size === PARTITIONS);
    const stopped = keeper.stop();
    await once(() => released.size === PARTITIONS - 1);
    end();
    await stopped;
    expect(released.size).toBe(PARTITIONS);
  });
});
