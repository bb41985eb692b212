import { PositionTaken } from './log.store';
import type { LogRow } from './log.store';
import { run } from '../testing/simulation/run';
import { MemoryLog } from '../testing/simulation/simulated.store';
import { verdict } from '../testing/simulation/verdict';

jest.setTimeout(900_000);

/** `SEED=123` replays one seed; `SEEDS=20000` runs more of them. */
const only = process.env.SEED === undefined ? undefined : Number(process.env.SEED);
const seeds = Number(process.env.SEEDS ?? 2000);

describe('the log under crashes, frozen owners, lost answers and a lossy network', () => {
  it('keeps every promise for every seed', async () => {
    const total = { crashes: 0, freezes: 0, rows: 0 };
    for (let seed = only ?? 1; seed <= (only ?? seeds); seed++) {
      const result = await run(seed);
      expect({ seed, broken: verdict(result) }).toEqual({ seed, broken: [] });
      total.crashes += result.counts.crashes;
      total.freezes += result.counts.freezes;
      total.rows += result.counts.rows;
    }
    // A simulation in which nothing happens proves nothing.
    if (only === undefined) expect(Math.min(total.crashes, total.freezes)).toBeGreaterThan(seeds);
    expect(total.rows).toBeGreaterThan(0);
  });

  it('runs the same for the same seed', async () => {
    const [first, second] = [await run(7), await run(7)];
    const events = (log: MemoryLog) =>
      [...log.rows.values()].flatMap((rows) => [...rows.values()].map((row) => row.event));
    expect(events(first.log)).toEqual(events(second.log));
  });
});

describe('the simulation finds planted bugs', () => {
  async function found(plant: () => MemoryLog): Promise<boolean> {
    for (let seed = 1; seed <= 200; seed++) {
      try {
        if (verdict(await run(seed, plant())).length > 0) return true;
      } catch {
        return true; // A consumer that meets a row out of place stops the run.
      }
    }
    return false;
  }

  it('a log that does not fence positions', async () => {
    class Unfenced extends MemoryLog {
      override async append(rows: LogRow[]): Promise<void> {
        try {
          await super.append(rows);
        } catch (error) {
          if (!(error instanceof PositionTaken)) throw error;
          for (const row of rows) this.rows.get(row.partition)?.set(row.position, row);
        }
      }
    }
    expect(await found(() => new Unfenced())).toBe(true);
  });

  it('a log that acknowledges and forgets', async () => {
    class Forgetful extends MemoryLog {
      private appends = 0;
      override async append(rows: LogRow[]): Promise<void> {
        this.appends += 1;
        if (this.appends % 20 !== 0) await super.append(rows);
      }
    }
    expect(await found(() => new Forgetful())).toBe(true);
  });

  it('a log that does not know client ids', async () => {
    class Oblivious extends MemoryLog {
      override append(rows: LogRow[]): Promise<void> {
        const tagged = rows.map((row) => ({
          ...row,
          clientMessageId: row.clientMessageId && `${row.clientMessageId}#${row.messageId}`,
        }));
        return super.append(tagged).then(() => {
          for (const [i, row] of rows.entries()) this.rows.get(row.partition)!.set(tagged[i]!.position, row);
        });
      }
    }
    expect(await found(() => new Oblivious())).toBe(true);
  });
});
