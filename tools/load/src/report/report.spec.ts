import type { ScenarioResult } from '../scenario/run';
import { judge, report } from './report';
import { table } from './table';

const latency = { count: 10, p50Ms: 1.5, p99Ms: 30, p999Ms: 40, maxMs: 50 };
const result: ScenarioResult = {
  scenario: 'pairs',
  door: 'realtime',
  users: 400,
  seconds: 10,
  ackedPerSecond: 4499,
  deliveriesPerSecond: 9000,
  ack: latency,
  delivery: latency,
  cpuUs: { messaging: 1000, realtime: 3000, generator: 500 },
  cpuElsewhere: 0.25,
  cpuIdle: 0.1,
  ackedInWindow: 100,
  deliveredInWindow: 200,
  acked: 110,
  delivered: 220,
  refusals: { unavailable: 3 },
  lagAtEnd: [{ name: 'history', rows: 12 }],
  caughtUpMs: 40,
  violations: ['2 deliveries are missing or too many.'],
};

describe('judge', () => {
  it('holds each figure against its aim', () => {
    expect(
      judge(result, { ackedPerSecond: 4500, deliveriesPerSecond: 9000, ackP50Ms: 1.5, ackP99Ms: 25 }),
    ).toBe('4,500 acked/s MISSED, 9,000 deliveries/s reached, p50 1.5 ms reached, p99 25 ms MISSED');
  });

  it('says nothing without aims', () => {
    expect(judge(result, {})).toBe('');
  });
});

describe('report', () => {
  const lines = report([result], []).split('\n');

  it('leaves the generator out of what the servers cost', () => {
    const at = lines.findIndex((line) => line.includes('per acknowledged message'));
    expect(lines[at + 3]?.split(/\s+/)).toEqual(['pairs', 'realtime', '40.0', '10.0', '30.0', '5.0']);
  });

  it('ends with what is wrong', () => {
    expect(lines.slice(-2)).toEqual([
      'NOT AS IT MUST BE',
      'pairs realtime: 2 deliveries are missing or too many.',
    ]);
  });
});

describe('table', () => {
  it('puts names to the left and numbers to the right', () => {
    expect(
      table(
        ['name', 'n'],
        [
          ['a', '10'],
          ['bcdef', '9'],
        ],
      ),
    ).toBe('name    n\n-----  --\na      10\nbcdef   9');
  });
});
