import { balancedFaults, faults, slugOf } from './fault/faults';
import { parseOptions, strengthOf } from './options';

describe('parseOptions', () => {
  it('strikes with everything, at several instances of everything, where nothing is said', () => {
    const options = parseOptions([]);
    expect(options?.faults).toEqual(faults.filter(({ store }) => store === undefined));
    expect(options?.store).toBe('postgresql');
  });

  it('leaves how much there is of everything to the store, unless it is said', () => {
    expect(strengthOf({}, false)).toMatchObject({
      scale: { messaging: 3, realtime: 3, auth: 2, history: 2 },
    });
    const onFerret = strengthOf({}, true);
    expect(onFerret.scale).toMatchObject({ messaging: 2, realtime: 2, auth: 1, history: 1 });
    expect(onFerret.paceMs).toBeGreaterThan(strengthOf({}, false).paceMs);
    expect(onFerret.rounds).toBeLessThan(strengthOf({}, false).rounds);
    const said = parseOptions(['--scale', 'messaging=1', '--pace', '7', '--rounds', '2']);
    expect(strengthOf(said ?? {}, true)).toMatchObject({ scale: { messaging: 1 }, paceMs: 7, rounds: 2 });
  });

  it('takes single faults, by names that are all different', () => {
    const slugs = faults.map(slugOf);
    expect(new Set(slugs).size).toBe(faults.length);
    for (const slug of slugs)
      expect(parseOptions(['--store', 'mongodb', '--only', slug])?.faults.map(slugOf)).toEqual([slug]);
    expect(parseOptions(['--only', 'kill-messaging,stop-redis'])?.faults).toHaveLength(2);
  });

  it('has faults of its own behind the load balancer', () => {
    expect(parseOptions(['--balanced'])).toMatchObject({ balanced: true, faults: balancedFaults });
    expect(parseOptions(['--balanced', '--only', 'drain-gateway'])?.faults).toHaveLength(1);
    expect(() => parseOptions(['--only', 'drain-gateway'])).toThrow('drain-gateway');
  });

  it('plants bugs in an undisturbed system', () => {
    expect(parseOptions(['--plant', 'swap'])).toMatchObject({ plant: 'swap', faults: [{ name: 'nothing' }] });
  });

  it('upgrades from a commit alone', () => {
    expect(parseOptions(['--from', 'v1'])).toMatchObject({ from: 'v1', faults: [{ name: 'upgrade' }] });
    expect(() => parseOptions(['--only', 'upgrade'])).toThrow('--only');
  });

  it('encrypts what it is told to', () => {
    expect(parseOptions([])?.tls).toBe(false);
    expect(parseOptions(['--tls', '--store', 'mongodb'])).toMatchObject({ tls: true, store: 'mongodb' });
  });

  it.each([
    ['--only', 'earthquake'],
    ['--only', 'kill-mongodb'],
    ['--store', 'paper'],
    ['--plant', 'tree'],
    ['--duration', 'long'],
    ['--pace', 'slow'],
    ['--what', 'x'],
  ])('refuses %s %s', (option, value) => {
    expect(() => parseOptions([option, value])).toThrow();
  });
});
