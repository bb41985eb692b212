import { isByTheClock, plansIn, sumOf } from './database';

test('plans are cut out of a server log, whatever stands between them', () => {
  const log = [
    '2026-11-25 01:00:00.000 UTC [1] LOG:  duration: 0.1 ms  plan:',
    '\tQuery Text: select 1',
    '\tResult  (cost=0.00..0.01 rows=1 width=4)',
    '2026-11-25 01:00:00.001 UTC [2] LOG:  checkpoint starting: time',
    '2026-11-25 01:00:00.002 UTC [1] LOG:  duration: 0.2 ms  plan:',
    '\tQuery Text: select 2',
    '\tSeq Scan on messages',
  ].join('\n');
  const plans = plansIn(log);
  expect(plans).toHaveLength(2);
  expect(plans[0]).toMatch(/^Query Text: select 1\n\tResult/);
  expect(plans[1]).toContain('Seq Scan on messages');
});

test('statements add up', () => {
  const [one, other] = [
    { calls: 1, rows: 2, pages: 3 },
    { calls: 10, rows: 20, pages: 30 },
  ];
  expect(sumOf([one, other])).toEqual({ calls: 11, rows: 22, pages: 33 });
});

test('polls are left out, and no write with them', () => {
  const polls = [
    'select partition, term, owner, expires_at < clock_timestamp() as expired from leases',
    'update leases set expires_at = clock_timestamp()',
    'select partition, position from applied where partition = any($1) and epoch = $2',
    'select $1 from auth.outbox limit $2',
    'COMMIT',
  ];
  expect(polls.filter(isByTheClock)).toEqual(polls);
  const work = [
    'with moved as ( update applied a set position = greatest(a.position, p.last) returning a.partition )',
    'update feed_positions p set position = v.last',
    'with moved as ( update feed_positions p set position = v.last returning p.partition )',
    'select c.id, a.epoch from conversations c join applied a on a.partition = c.partition',
  ];
  expect(work.filter(isByTheClock)).toEqual([]);
});
