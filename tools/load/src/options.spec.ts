import { parseOptions, parseScale } from './options';

describe('parseOptions', () => {
  it('runs everything with 400 users for 15 seconds where nothing is said', () => {
    const options = parseOptions([]);
    expect(options?.scenarios.map(({ name }) => name)).toEqual([
      'pairs',
      'groups-of-4',
      'rooms-of-20',
      'rooms-of-100',
      'pairs-at-500',
    ]);
    expect(options).toMatchObject({
      doors: ['realtime', 'gateway'],
      users: 400,
      durationMs: 15_000,
      warmUpMs: 5_000,
      store: 'postgresql',
      tls: false,
      keep: false,
    });
  });

  it('takes what is said', () => {
    const args = [
      '--scenario',
      'pairs',
      '--door=realtime',
      '--users',
      '8',
      '--profile',
      'realtime',
      '--store=mongodb',
      '--tls',
    ];
    const options = parseOptions([...args, '--scale', 'realtime=2,messaging=3']);
    expect(options).toMatchObject({
      doors: ['realtime'],
      users: 8,
      profile: 'realtime',
      store: 'mongodb',
      tls: true,
      scale: { realtime: 2, messaging: 3 },
    });
    expect(options?.scenarios).toHaveLength(1);
  });

  it.each([
    ['--scenario', 'nothing'],
    ['--door', ''],
    ['--users', 'many'],
    ['--duration', '0'],
    ['--profile', 'database'],
    ['--store', 'paper'],
    ['--what', 'x'],
  ])('refuses %s %s', (option, value) => {
    expect(() => parseOptions([option, value])).toThrow();
  });

  it('gives help', () => {
    expect(parseOptions(['--help'])).toBeUndefined();
  });
});

describe('parseScale', () => {
  it.each(['web=1', 'realtime=0', 'realtime'])('refuses %s', (text) => {
    expect(() => parseScale(text)).toThrow();
  });
});
