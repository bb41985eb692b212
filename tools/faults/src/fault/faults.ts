import { setTimeout as delay } from 'node:timers/promises';
import { type Instance, redisOf, type Server, type ServerName } from '@parley/tool-local';
import type { System } from '@parley/tool-load';
import type { Demands, Fault } from './fault';
import { joining, rolling, upgraded } from './instances';
import { outage, standstill } from './outage';
import { replicaSetFaults } from './replica-set';

const OUTAGE_MS = 10_000;
const FREEZE_MS = 20_000;
/** As a slow disk, a backup or a neighbour does to a server: longer than any statement may take. */
const PAUSE_MS = 1_100;
/** Until all goes on again once a server answers again. */
const AWAKE_MS_MAX = 5_000;
/** Of an owner's crash: commands wait for the successor, and are not refused for longer. */
const CRASH_REFUSED_MS_MAX = 2_000;

type Freezable = Pick<Instance, 'freeze' | 'thaw'>;

/** A process that ends with SIGKILL; the supervisor of the run starts it again, as an orchestrator would. */
function killed(
  name: string,
  instanceOf: (system: System) => Instance | undefined,
  demands?: Demands,
): Fault {
  return {
    name: `kill -9 ${name}`,
    ...(demands && { demands }),
    async strike(system) {
      const instance = instanceOf(system);
      if (!instance) throw new Error(`There is no ${name} to kill.`);
      await instance.kill();
    },
  };
}

/** A server that is stopped in good order and comes back after ten seconds. */
function stopped(name: ServerName): Fault {
  return {
    ...striking(name),
    name: `stop ${name} 10 s`,
    strike: (system) => outage(serverOf(system, name), 'stop', OUTAGE_MS),
  };
}

/** A server that crashes, with all connections cut at once, and comes back after ten seconds. */
function crashed(name: ServerName): Fault {
  return {
    ...striking(name),
    name: `kill -9 ${name} 10 s`,
    strike: (system) => outage(serverOf(system, name), 'kill', OUTAGE_MS),
  };
}

function striking(name: ServerName): Pick<Fault, 'store' | 'strikes'> {
  return { strikes: name, ...(name === 'mongodb' && { store: 'mongodb' }) };
}

function serverOf({ servers }: System, name: ServerName): Server {
  const server = servers[name];
  if (!server) throw new Error(`There is no ${name}.`);
  return server;
}

/** Nobody is ever refused while nothing happens. */
const nothing: Fault = { name: 'nothing', demands: { refusedMsMax: 0 }, strike: () => Promise.resolve() };

const flushed: Fault = {
  ...striking('redis'),
  name: 'flush redis',
  async strike(system) {
    const redis = redisOf(system.servers);
    try {
      await redis.flushall();
    } finally {
      redis.disconnect();
    }
  },
};

function frozen(
  name: string,
  of: (system: System) => Freezable | undefined,
  forMs = FREEZE_MS,
): Pick<Fault, 'name' | 'strike'> {
  return {
    name: `freeze ${name} 20 s`,
    async strike(system) {
      const one = of(system);
      if (!one) throw new Error(`There is no ${name} to freeze.`);
      await standstill(one, forMs);
    },
  };
}

/** A server that stands still for so short a time that nobody has to be refused. */
function paused(name: ServerName): Fault {
  return {
    ...striking(name),
    ...frozen(name, ({ servers }) => servers[name], PAUSE_MS),
    name: `pause ${name} 1 s`,
    demands: { refusedMsMax: 0 },
  };
}

/** A server that stands still, so that nobody is told that it is away. */
function stalled(name: ServerName): Fault {
  return {
    ...striking(name),
    ...frozen(name, ({ servers }) => servers[name]),
    demands: { refusedMsMax: FREEZE_MS + AWAKE_MS_MAX },
  };
}

/** In the order in which they strike. With one instance of messaging, the first one owns everything. */
export const faults: Fault[] = [
  nothing,
  killed('messaging', ({ apps }) => apps.of('messaging')[0], { refusedMsMax: CRASH_REFUSED_MS_MAX }),
  killed('realtime', ({ apps }) => apps.of('realtime')[0], { presence: true }),
  killed('presence', ({ apps }) => apps.of('presence')[0], { presence: true }),
  killed('history', ({ apps }) => apps.of('history')[0]),
  killed('notification', ({ apps }) => apps.of('notification')[0]),
  killed('gateway', ({ gateway }) => gateway),
  stopped('rabbitmq'),
  stopped('redis'),
  stopped('postgres'),
  stopped('mongodb'),
  crashed('rabbitmq'),
  crashed('postgres'),
  crashed('mongodb'),
  ...replicaSetFaults,
  flushed,
  paused('rabbitmq'),
  paused('redis'),
  paused('postgres'),
  paused('mongodb'),
  frozen('messaging', ({ apps }) => apps.of('messaging')[0]),
  stalled('rabbitmq'),
  stalled('redis'),
  stalled('postgres'),
  stalled('mongodb'),
  joining,
  rolling,
];

/** With `--from`: takes two builds. */
export const upgradeFaults: Fault[] = [upgraded];

const DRAINED_MS = 10_000;

/** A gateway that an operator takes out, gives its sockets ten seconds, restarts and puts back. */
const drained: Fault = {
  name: 'drain gateway',
  async strike({ gateways: [gateway], loadBalancer }) {
    if (!gateway || !loadBalancer) throw new Error('There is no load balancer.');
    await loadBalancer.control('set server gateways/gateway-1 state drain');
    await delay(DRAINED_MS);
    // The supervisor starts it again.
    await gateway.stop();
    await loadBalancer.control('set server gateways/gateway-1 state ready');
  },
};

/** With two gateways behind the load balancer, of which one always stays. */
export const balancedFaults: Fault[] = [
  nothing,
  killed('gateway', ({ gateways }) => gateways[0]),
  killed('realtime', ({ apps }) => apps.of('realtime')[0]),
  drained,
  killed('load balancer', ({ loadBalancer }) => loadBalancer),
];

/** The name as it is given on the command line: words joined by dashes, without signal numbers and times. */
export function slugOf({ name }: Fault): string {
  return name
    .replace(/ -9| \d+ s/g, '')
    .split(' ')
    .join('-');
}
