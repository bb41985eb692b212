import { parseOptions, PARTS, peopleFor } from './options';

describe('parseOptions', () => {
  it('measures everything at full size where nothing is said', () => {
    expect(parseOptions([])).toEqual({
      parts: [...PARTS],
      sockets: 10_000,
      storm: 5_000,
      members: 5_000,
      connected: 1_000,
      conversations: 2_000,
      messages: 300_000,
      keep: false,
    });
  });

  it('takes the chosen parts in their own order', () => {
    expect(parseOptions(['--only', 'history,idle', '--sockets', '200'])).toMatchObject({
      parts: ['idle', 'history'],
      sockets: 200,
    });
  });

  it('refuses what it does not know', () => {
    expect(() => parseOptions(['--only', 'depth'])).toThrow('no part "depth"');
    expect(() => parseOptions(['--members', 'many'])).toThrow('--members');
  });
});

describe('peopleFor', () => {
  it('asks for as many as the widest chosen part needs', () => {
    const options = parseOptions(['--only', 'idle,channel', '--sockets', '400', '--members', '300']);
    expect(options && peopleFor(options)).toBe(300);
  });
});
