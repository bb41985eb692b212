import { parseOptions } from './options';

test('without arguments everything runs once, behind port 8000', () => {
  expect(parseOptions([])).toEqual({
    port: 8000,
    scale: {},
    store: 'postgresql',
    monitor: false,
    tls: false,
  });
});

test('--scale names apps and numbers', () => {
  const args = ['--scale', 'realtime=2,messaging=3', '--port=9000', '--monitor', '--store=mongodb', '--tls'];
  expect(parseOptions(args)).toEqual({
    port: 9000,
    scale: { realtime: 2, messaging: 3 },
    store: 'mongodb',
    monitor: true,
    tls: true,
  });
});

test.each([
  [['--scale', 'chat=2'], 'no app "chat"'],
  [['--scale', 'realtime=0'], 'a number from 1'],
  [['--scale', 'realtime'], 'a number from 1'],
  [['--port', 'http'], 'no port'],
  [['--store', 'paper'], 'postgresql or mongodb'],
  [['--fast'], 'fast'],
])('%j is refused with a reason and the usage', (args, reason) => {
  expect(() => parseOptions(args)).toThrow(reason);
  expect(() => parseOptions(args)).toThrow(
    expect.objectContaining({ advice: expect.stringContaining('--scale') }),
  );
});
