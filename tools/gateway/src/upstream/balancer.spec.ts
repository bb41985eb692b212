import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eventually } from '../conformance/client';
import { upstreamSchema } from '../config/entity.schema';
import { Balancer } from './balancer';
import type { Target } from './health';

const unhealthy = { tcp_failures: 2, timeouts: 2, http_failures: 1, http_statuses: [503] };
const checks = (active: object, passive: object = {}) =>
  upstreamSchema.parse({ name: 'u', healthchecks: { active, passive } }).healthchecks;
const passive = checks({}, { healthy: { successes: 1 }, unhealthy });

function balancer(
  targets: string[],
  algorithm: 'round-robin' | 'least-connections',
  healthchecks = passive,
  previous?: Balancer,
) {
  return new Balancer('u', algorithm, targets, healthchecks, previous, () => undefined);
}
const none: ReadonlySet<Target> = new Set();
const names = (made: Balancer, count: number) => Array.from({ length: count }, () => made.choose(none)?.name);

describe('choosing a target', () => {
  it('goes round', () => {
    expect(names(balancer(['a:1', 'b:2'], 'round-robin'), 4)).toEqual(['a:1', 'b:2', 'a:1', 'b:2']);
  });

  it('takes one that was not tried, while there is one', () => {
    const made = balancer(['a:1', 'b:2'], 'round-robin');
    const first = made.choose(none)!;
    expect(made.choose(new Set([first]))!.name).not.toBe(first.name);
    expect(made.choose(new Set([first, made.choose(new Set([first]))!]))).toBeDefined();
  });

  it('gives the next socket to the target with the fewest, also after a reload', () => {
    const made = balancer(['a:1', 'b:2'], 'least-connections');
    const opened = Array.from({ length: 6 }, () => {
      const target = made.choose(none)!;
      return { target, close: made.hold(target) };
    });
    const ofA = opened.filter(({ target }) => target.name === 'a:1');
    expect(ofA).toHaveLength(3);
    for (const { close } of ofA) {
      close();
      close();
    }
    const next = balancer(['a:1', 'b:2'], 'least-connections', passive, made);
    const chosen = Array.from({ length: 3 }, () => {
      const target = next.choose(none)!;
      next.hold(target);
      return target.name;
    });
    expect(chosen).toEqual(['a:1', 'a:1', 'a:1']);
  });

  it('has none to give when there is none', () => {
    expect(balancer([], 'round-robin').choose(none)).toBeUndefined();
  });
});

describe('passive checks', () => {
  const [a] = [{ host: 'a', port: 1, name: 'a:1' }];

  it('take a target out after the configured number of faults without success between', () => {
    const made = balancer(['a:1', 'b:2'], 'round-robin');
    made.health.reportFault(a, 'tcpFailure');
    made.health.reportStatus(a, 200);
    made.health.reportFault(a, 'tcpFailure');
    expect(new Set(names(made, 4)).size).toBe(2);
    made.health.reportFault(a, 'tcpFailure');
    expect(new Set(names(made, 4))).toEqual(new Set(['b:2']));
  });

  it('keep their verdict over a reload', () => {
    const made = balancer(['a:1'], 'round-robin');
    made.health.reportStatus(a, 503);
    expect(made.choose(none)).toBeUndefined();
    expect(balancer(['a:1', 'c:3'], 'round-robin', passive, made).choose(none)!.name).toBe('c:3');
  });

  it('undo what active checks have counted only where they count success', async () => {
    for (const [successes, isOut] of [
      [1, false],
      [0, true],
    ] as const) {
      const made = balancer(['a:1'], 'round-robin', checks({}, { healthy: { successes }, unhealthy }));
      made.health.reportFault(a, 'tcpFailure');
      made.health.reportStatus(a, 200);
      made.health.reportFault(a, 'tcpFailure');
      expect(made.choose(none) === undefined).toBe(isOut);
    }
  });

  it('count nothing where the threshold is 0', () => {
    const made = balancer(['a:1'], 'round-robin', checks({}, {}));
    for (let count = 0; count < 10; count += 1) made.health.reportFault(a, 'tcpFailure');
    expect(made.choose(none)).toBeDefined();
  });
});

describe('active checks', () => {
  let server: Server;
  let status: number | undefined;
  let target: string;

  beforeEach(async () => {
    status = 200;
    server = createServer((request, response) => {
      if (request.url === '/health' && status !== undefined) response.writeHead(status).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    target = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  it.each<[string, number | undefined]>([
    ['says that it is not ready', 503],
    ['does not answer', undefined],
  ])('take a target out that %s, and let it back in', async (_, bad) => {
    const active = {
      http_path: '/health',
      timeout: 0.2,
      healthy: { interval: 0.1, successes: 1 },
      unhealthy: { interval: 0.1, ...unhealthy },
    };
    const made = balancer([target], 'round-robin', checks(active));
    made.start();
    try {
      status = bad;
      await eventually(async () => expect(made.choose(none)).toBeUndefined());
      status = 200;
      await eventually(async () => expect(made.choose(none)).toBeDefined());
    } finally {
      made.stop();
    }
  });
});

describe('names of several addresses', () => {
  const [first, second] = ['10.0.0.1', '10.0.0.2'];

  /** A name behind which `answers` stand. */
  function named(answers: { now: string[] }) {
    const lookup = () =>
      answers.now.length > 0 ? Promise.resolve([...answers.now]) : Promise.reject(new Error('no such name'));
    const made = new Balancer('u', 'round-robin', ['app:1'], passive, undefined, () => undefined, lookup);
    return { made, look: () => made.look() };
  }

  it('are as many targets, each with a health of its own', async () => {
    const { made, look } = named({ now: [second, first] });
    await look();
    expect(names(made, 2)).toEqual([`${first}:1`, `${second}:1`]);
    made.health.reportStatus({ host: first, port: 1, name: `${first}:1` }, 503);
    expect(new Set(names(made, 4))).toEqual(new Set([`${second}:1`]));
  });

  it('keep their health when others come and go', async () => {
    const answers = { now: [first] };
    const { made, look } = named(answers);
    await look();
    made.health.reportStatus({ host: first, port: 1, name: `${first}:1` }, 503);
    answers.now = [first, second];
    await look();
    expect(new Set(names(made, 4))).toEqual(new Set([`${second}:1`]));
    answers.now = [first];
    await look();
    expect(made.choose(none)).toBeUndefined();
  });

  it('keep their health over a reload', async () => {
    const { made, look } = named({ now: [first, second] });
    await look();
    made.health.reportStatus({ host: first, port: 1, name: `${first}:1` }, 503);
    const next = balancer(['app:1'], 'round-robin', passive, made);
    expect(new Set(names(next, 4))).toEqual(new Set([`${second}:1`]));
  });

  it('stay what they were where nobody knows the name any more', async () => {
    const answers = { now: [first] };
    const { made, look } = named(answers);
    await look();
    answers.now = [];
    await look();
    expect(names(made, 1)).toEqual([`${first}:1`]);
  });
});
