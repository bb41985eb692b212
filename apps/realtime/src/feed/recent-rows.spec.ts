import { partitionOf, type LogEvent } from '@parley/contracts';
import { TestLog } from '../testing/log';
import { aUser } from '../testing/world';
import { RecentRows } from './recent-rows';

describe('RecentRows', () => {
  const [alice, bob] = [aUser(), aUser()];
  const NOTHING: number[] = [];

  afterEach(() => jest.useRealTimers());

  function follow(recent: RecentRows): TestLog {
    const log = new TestLog();
    log.onRow = (partition, row) => recent.record(partition, [row]);
    return log;
  }

  const kinds = (rows: Iterable<LogEvent>): string[] => [...rows].map(({ kind }) => kind);

  it('keeps rows only while somebody asks', () => {
    const recent = new RecentRows();
    const log = follow(recent);
    const { id } = log.create('group', [alice]);
    recent.open();
    log.rename(id, 'kept');
    expect(kinds(recent.concerning(alice, new Set([id]), NOTHING))).toEqual(['conversation.updated']);
    recent.close();
    recent.open();
    expect(kinds(recent.concerning(alice, new Set([id]), NOTHING))).toEqual([]);
  });

  it('gives rows of the user’s conversations above the floor', () => {
    const recent = new RecentRows();
    const log = follow(recent);
    recent.open();
    const own = log.create('group', [bob]);
    const other = log.create('group', [bob]);
    log.rename(own.id, 'first');
    log.rename(own.id, 'second');
    log.rename(other.id, 'not concerned');
    const floor: number[] = [];
    floor[partitionOf(own.id)] = log.positions()[partitionOf(own.id)]! - 1;
    const rows = [...recent.concerning(alice, new Set([own.id]), floor)];
    expect(rows).toMatchObject([{ kind: 'conversation.updated', conversation: { title: 'second' } }]);
  });

  it('finds the conversations into which the user came, from the arrival on', () => {
    const recent = new RecentRows();
    const log = follow(recent);
    recent.open();
    const { id } = log.create('group', [bob]);
    log.rename(id, 'before');
    log.add(id, alice);
    log.rename(id, 'after');
    const rows = kinds(recent.concerning(alice, new Set(), NOTHING));
    expect(rows).toEqual(['member.changed', 'conversation.updated']);
  });

  it('says when rows went with their time', () => {
    jest.useFakeTimers();
    const recent = new RecentRows();
    const log = follow(recent);
    const after = (ms: number) => (jest.advanceTimersByTime(ms), performance.now());
    recent.open();
    const begun = after(10);
    const { id } = log.create('group', [alice]);
    const second = after(3_100);
    log.rename(id, 'second');
    expect(recent.reachesTo(begun)).toBe(true);
    after(3_100);
    log.rename(id, 'third');
    expect(recent.reachesTo(begun)).toBe(false);
    expect(recent.reachesTo(second + 1)).toBe(true);
  });

  it('says when it could not keep all', () => {
    const recent = new RecentRows();
    const log = follow(recent);
    const { id } = log.create('group', [alice]);
    recent.open();
    const before = performance.now();
    const row = log.rows[partitionOf(id)]![0]!;
    recent.record(
      0,
      Array.from({ length: 60_000 }, () => row),
    );
    expect(recent.reachesTo(before)).toBe(false);
    expect(recent.reachesTo(performance.now())).toBe(true);
  });
});
