import { honestObservations } from './honest.fixture';
import { checkNodes, sharedAmongNodes } from './nodes';
import type { SocketTrace, TraceEntry } from './observations';
import { checkPresence, checkStorm, type PresenceView } from './presence';
import { checkRefusals, type Delayed, delayedSince, longestRefusal } from './refusals';
import { unevenness } from '../system/shares';

describe('several nodes', () => {
  const onTwoNodes = () => {
    const observations = honestObservations();
    observations.sockets.forEach((trace, index) => (trace.node = `node-${index % 2}`));
    return observations;
  };

  it('tell one order', () => {
    const observations = onTwoNodes();
    expect(checkNodes(observations)).toEqual([]);
    expect(sharedAmongNodes(observations)).toBe(1);
    expect(sharedAmongNodes(honestObservations())).toBe(0);
  });

  it('are found to tell different orders', () => {
    const observations = onTwoNodes();
    const { entries } = observations.sockets[0] as SocketTrace;
    [entries[3], entries[4]] = [entries[4] as TraceEntry, entries[3] as TraceEntry];
    expect(checkNodes(observations)).toMatchObject([{ kind: 'nodes', conversationId: 'c1' }]);
  });
});

describe('refusals', () => {
  const delayed: Delayed[] = [
    { conversationId: 'c', userId: 'u', reason: 'unavailable', startedAt: 100, endedAt: 1_900 },
    { conversationId: 'c', userId: 'v', reason: 'unavailable', startedAt: 100, endedAt: 2_200 },
  ];

  it('may last as long as the fault allows', () => {
    expect(longestRefusal(delayed)).toBe(2_100);
    expect(longestRefusal([])).toBe(0);
    const none = () => undefined;
    expect(checkRefusals(delayed, 2_000, 0, none)).toMatchObject([{ kind: 'refused' }]);
    expect(checkRefusals(delayed, 3_000, 0, none)).toEqual([]);
    expect(checkRefusals(delayed, 0, 0, none)).toHaveLength(2);
  });

  it('count from the strike for writes that were under way, and not at all for those that had their answer', () => {
    const [early, late] = delayed;
    expect(delayedSince(100, delayed)).toEqual(delayed);
    expect(delayedSince(1_000, delayed).map(({ startedAt }) => startedAt)).toEqual([1_000, 1_000]);
    expect(delayedSince(1_900, delayed)).toMatchObject([{ userId: early?.userId }, { userId: late?.userId }]);
    expect(longestRefusal(delayedSince(2_000, delayed))).toBe(200);
    expect(delayedSince(2_201, delayed)).toEqual([]);
  });

  it('say what was done at the time', () => {
    const [one] = checkRefusals(delayed, 2_000, 40, (at) => `${at - 90} ms into the replacement of auth-1`);
    expect(one?.detail).toBe(
      'v was refused for 2100 ms from 60 ms after the strike, 10 ms into the replacement of auth-1 (unavailable)',
    );
  });
});

describe('presence', () => {
  const truth = {
    connected: new Set(['a']),
    reconnections: new Map([
      ['a', 1],
      ['b', 0],
    ]),
  };
  const view = (a: 'online' | 'offline', b: 'online' | 'offline', told = [0, 0]): PresenceView => ({
    userId: 'w',
    statuses: new Map([
      ['a', a],
      ['b', b],
    ]),
    told: new Map([
      ['a', told[0] ?? 0],
      ['b', told[1] ?? 0],
    ]),
  });

  it('is right when it shows who is there and who is not', () => {
    expect(checkPresence([view('online', 'offline')], truth)).toEqual([]);
    expect(checkPresence([view('online', 'online'), view('offline', 'offline')], truth)).toHaveLength(2);
    expect(checkPresence([{ ...view('online', 'offline'), statuses: new Map() }], truth)).toHaveLength(2);
  });

  it('is told twice for each connection that was lost, and twice for the disturbance', () => {
    expect(checkStorm([view('online', 'offline', [4, 2])], truth)).toEqual([]);
    expect(checkStorm([view('online', 'offline', [5, 0])], truth)).toMatchObject([{ kind: 'presence' }]);
    expect(checkStorm([view('online', 'offline', [0, 3])], truth)).toMatchObject([{ conversationId: 'b' }]);
  });
});

describe('shares', () => {
  const shares = (parts: number[], instances = 3) => ({ service: 'messaging', total: 64, instances, parts });

  it('are even when everything is taken and nobody has more than the even part, rounded up', () => {
    expect(unevenness(shares([22, 22, 20]))).toBeUndefined();
    expect(unevenness(shares([23, 21, 20]))).toContain('at most 22');
    expect(unevenness(shares([22, 21, 20]))).toContain('63 of 64');
    expect(unevenness(shares([32, 32]))).toContain('at most 22');
  });
});
