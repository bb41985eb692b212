import { ParleyError } from '@parley/contracts';
import { PositionTaken } from './log.store';
import type { LogRow, Shortfall, Tail } from './log.store';
import { LogOwner } from './owner';
import type { OwnerOptions } from './owner';
import { run } from '../testing/simulation/run';
import { MemoryLog } from '../testing/simulation/simulated.store';
import { verdict } from '../testing/simulation/verdict';

/** `SEED=123` replays one seed; `SEEDS=20000` runs that many, however long it takes. */
const only = process.env.SEED === undefined ? undefined : Number(process.env.SEED);
const wanted = process.env.SEEDS === undefined ? undefined : Number(process.env.SEEDS);
/** Without either: so many where the machine is quiet, fewer where the time runs out, never fewer than find planted bugs. */
const SEEDS_MAX = 2000;
const SEEDS_MIN = 200;
const BUDGET_MS = 240_000;

jest.setTimeout(Math.max(900_000, (wanted ?? 0) * 1000));

describe('the log under crashes, frozen owners, lost answers and a lossy network', () => {
  it('keeps every promise for every seed', async () => {
    const total = { crashes: 0, expired: 0, freezes: 0, rows: 0, tears: 0, unprojected: 0 };
    const startedAt = performance.now();
    const isEnough = (seeds: number) =>
      wanted === undefined && seeds >= SEEDS_MIN && performance.now() - startedAt > BUDGET_MS;
    let seeds = 0;
    for (let seed = only ?? 1; seed <= (only ?? wanted ?? SEEDS_MAX) && !isEnough(seeds); seed++) {
      seeds += 1;
      const result = await run(seed);
      expect({ seed, broken: verdict(result) }).toEqual({ seed, broken: [] });
      for (const fault of Object.keys(total) as (keyof typeof total)[]) total[fault] += result.counts[fault];
    }
    // A simulation in which nothing happens proves nothing.
    if (only === undefined) {
      expect(Math.min(total.crashes, total.expired, total.freezes)).toBeGreaterThan(seeds);
      expect(Math.min(total.tears, total.unprojected)).toBeGreaterThan(seeds / 2);
    }
    expect(total.rows).toBeGreaterThan(0);
    if (isEnough(seeds) && seeds < SEEDS_MAX)
      console.log(
        `The machine is busy: ${seeds} seeds of ${SEEDS_MAX} ran. SEEDS=${SEEDS_MAX} runs all of them.`,
      );
  });

  it('runs the same for the same seed', async () => {
    const [first, second] = [await run(7), await run(7)];
    const events = (log: MemoryLog) =>
      [...log.rows.values()].flatMap((rows) => [...rows.values()].map((row) => row.event));
    expect(events(first.log)).toEqual(events(second.log));
  });
});

describe('the simulation finds planted bugs', () => {
  async function found(plant?: () => MemoryLog, Owner?: typeof LogOwner): Promise<boolean> {
    for (let seed = 1; seed <= SEEDS_MIN; seed++) {
      try {
        if (verdict(await run(seed, plant?.(), Owner)).length > 0) return true;
      } catch {
        return true; // A consumer that meets a row out of place stops the run.
      }
    }
    return false;
  }

  const remember = (log: MemoryLog, row: LogRow) => log.rows.get(row.partition)!.set(row.position, row);

  it('a log that does not fence positions', async () => {
    class Unfenced extends MemoryLog {
      override async append(rows: LogRow[]): Promise<Map<number, Shortfall>> {
        const shortfalls = await super.append(rows);
        if (![...shortfalls.values()].some(({ reason }) => reason instanceof PositionTaken))
          return shortfalls;
        for (const row of rows) remember(this, row);
        return new Map();
      }
    }
    expect(await found(() => new Unfenced())).toBe(true);
  });

  it('a log that acknowledges and forgets', async () => {
    class Forgetful extends MemoryLog {
      private appends = 0;
      override async append(rows: LogRow[]): Promise<Map<number, Shortfall>> {
        this.appends += 1;
        return this.appends % 20 === 0 ? new Map<number, Shortfall>() : super.append(rows);
      }
    }
    expect(await found(() => new Forgetful())).toBe(true);
  });

  it('a log that does not know client ids', async () => {
    class Oblivious extends MemoryLog {
      override async append(rows: LogRow[]): Promise<Map<number, Shortfall>> {
        const tagged = rows.map((row) => ({
          ...row,
          clientMessageId: row.clientMessageId && `${row.clientMessageId}#${row.messageId}`,
        }));
        const shortfalls = await super.append(tagged);
        if (shortfalls.size === 0) for (const row of rows) remember(this, row);
        return shortfalls;
      }
    }
    expect(await found(() => new Oblivious())).toBe(true);
  });

  it('a torn log that stores what stands behind a row that it left out', async () => {
    class Unordered extends MemoryLog {
      private inserts = 0;
      override insert(row: LogRow): Error | undefined {
        this.inserts += 1;
        return this.inserts % 20 === 0 ? undefined : super.insert(row);
      }
    }
    expect(await found(() => new Unordered('torn'))).toBe(true);
  });

  it('a torn log whose new owner does not catch its projection up', async () => {
    class Behind extends MemoryLog {
      override catchUp(partitions: number[]): Promise<Map<number, Tail>> {
        const tail = (partition: number): Tail => {
          const position = this.end(partition);
          return { position, term: this.rows.get(partition)?.get(position)?.term ?? 0 };
        };
        return Promise.resolve(new Map(partitions.map((partition) => [partition, tail(partition)])));
      }
    }
    expect(await found(() => new Behind('torn'))).toBe(true);
  });

  it('an owner that decides for askers who have given up', async () => {
    class Patient extends LogOwner {
      override submit(...[name, data, address]: Parameters<LogOwner['submit']>): Promise<object> {
        return super.submit(name, data, { ...address, expiresAt: Infinity });
      }
    }
    expect(await found(undefined, Patient)).toBe(true);
  });

  it('an owner that refuses what it stores', async () => {
    class Fickle extends LogOwner {
      private sends = 0;
      override async submit(...[name, data, address]: Parameters<LogOwner['submit']>): Promise<object> {
        const reply = await super.submit(name, data, address);
        if (name === 'message.send' && ++this.sends % 5 === 0)
          throw new ParleyError('forbidden', 'Nobody may write here.');
        return reply;
      }
    }
    expect(await found(undefined, Fickle)).toBe(true);
  });

  it('an owner that lets commands be overtaken', async () => {
    class Overtaken extends LogOwner {
      private commands = 0;
      constructor(private readonly given: OwnerOptions) {
        super(given);
      }
      override async submit(...args: Parameters<LogOwner['submit']>): Promise<object> {
        this.commands += 1;
        if (this.commands % 5 === 0) await this.given.clock.sleep(5);
        return super.submit(...args);
      }
    }
    expect(await found(undefined, Overtaken)).toBe(true);
  });
});
