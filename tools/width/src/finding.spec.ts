import { exact, figure, hard, isBroken, least, report, time } from './finding';

test('only a hard bound can be broken, and it says so', () => {
  const findings = [hard('memory', 26, 'KB', 25), time('wait', 9, 's', 1), figure('rate', 1234, '')];
  expect(findings.map(isBroken)).toEqual([true, false, false]);
  const text = report([{ part: 'idle', findings, notes: [] }]);
  expect(text).toMatch(/idle: memory +26 KB +25 KB +BROKEN/);
  expect(text).toMatch(/idle: wait +9 s +1 s +slow/);
});

test('too little breaks a bound where it means that nothing happened', () => {
  const findings = [
    exact('told', 49, '', 50),
    exact('told', 50, '', 50),
    hard('shown', 3, '', 20, 10),
    least('plans', 0, '', 8),
  ];
  expect(findings.map(isBroken)).toEqual([true, false, true, true]);
  const text = report([{ part: 'channel', findings, notes: [] }]);
  expect(text).toMatch(/told +50 +exactly 50/);
  expect(text).toMatch(/shown +3 +from 10 to 20 +BROKEN/);
  expect(text).toMatch(/plans +0 +at least 8 +BROKEN/);
});

test('what never came about breaks its bound', () => {
  expect(isBroken(hard('back', Infinity, 's', 60))).toBe(true);
  expect(isBroken(hard('figure that is missing', NaN, '', 1))).toBe(true);
});
