import { figure, hard, isBroken, report, time } from './finding';

test('only a hard bound can be broken, and it says so', () => {
  const findings = [hard('memory', 26, 'KB', 25), time('wait', 9, 's', 1), figure('rate', 1234, '')];
  expect(findings.map(isBroken)).toEqual([true, false, false]);
  const text = report([{ part: 'idle', findings, notes: [] }]);
  expect(text).toMatch(/idle: memory +26 KB +25 KB +BROKEN/);
  expect(text).toMatch(/idle: wait +9 s +1 s +slow/);
});

test('what never came about breaks its bound', () => {
  expect(isBroken(hard('back', Infinity, 's', 60))).toBe(true);
  expect(isBroken(hard('figure that is missing', NaN, '', 1))).toBe(true);
});
