import { isGood, type Outcome, report } from './report';

const good: Outcome = {
  fault: 'kill -9 messaging',
  acked: 1234,
  changed: 80,
  refused: 2,
  firstAckMs: 812,
  allAckMs: 2649,
  inSyncMs: 3050,
  refusedMs: 1200,
  movedMs: undefined,
  violations: [],
  trouble: [],
};

describe('report', () => {
  it('prints one row for each fault', () => {
    const row = report([good])
      .split('\n')[2]
      ?.trim()
      .split(/\s{2,}/);
    expect(row).toEqual([
      'kill -9 messaging',
      '1,234',
      ...Array<string>(9).fill('0'),
      '1.2',
      '-',
      '0.8',
      '2.6',
      '3.0',
      'good',
    ]);
  });

  it('counts violations by kind and lists them below', () => {
    const violations = Array.from({ length: 25 }, (_, i) => ({
      kind: 'lost' as const,
      conversationId: 'c1',
      detail: `message ${i}`,
    }));
    const text = report([{ ...good, violations }]);
    expect(text).toContain('25');
    expect(text).toContain('lost in c1: message 0');
    expect(text).not.toContain('message 20');
    expect(text).toContain('and 5 more');
  });

  it('does not call a round good that did not end by itself', () => {
    const outcome = {
      ...good,
      allAckMs: undefined,
      trouble: ['Not every conversation took messages again.'],
    };
    expect(isGood(outcome)).toBe(false);
    expect(report([outcome])).toMatch(/- +3\.0 +BAD/);
  });
});
