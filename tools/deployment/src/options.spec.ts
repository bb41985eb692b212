import { readArguments } from './options';

describe('readArguments', () => {
  it('has defaults for everything', () => {
    expect(readArguments(['compose'])).toMatchObject({
      engine: 'compose',
      only: undefined,
      keeps: false,
      builds: true,
      files: [],
      project: 'parley-test',
      overlay: 'k8s/overlays/local',
      paceMs: 100,
    });
  });

  it('takes names of acts, files and an address', () => {
    const given = [
      '--only',
      'kill redis, replace auth',
      '--file',
      'a.yml',
      '--file',
      'b.yml',
      '--url',
      'http://h/',
    ];
    expect(readArguments(['kubernetes', ...given])).toMatchObject({
      only: ['kill redis', 'replace auth'],
      files: ['a.yml', 'b.yml'],
      url: 'http://h',
    });
  });

  it.each([
    [['swarm']],
    [[]],
    [['compose', '--pace', '5']],
    [['compose', '--pace', 'soon']],
    [['compose', '--fast']],
  ])('refuses %j with its usage', (args) => {
    expect(() => readArguments(args)).toThrow(
      expect.objectContaining({ advice: expect.stringContaining('--only') }),
    );
  });
});
