import { setTimeout as delay } from 'node:timers/promises';
import type { Instance, MessageStore, Server, ServerName } from '@parley/tool-local';
import type { System } from '@parley/tool-load';
import Redis from 'ioredis';

const OUTAGE_MS = 10_000;
const FREEZE_MS = 30_000;

/** One thing that goes wrong. */
export interface Fault {
  name: string;
  /** With this store alone. */
  store?: MessageStore;
  /** Breaks it and ends the disturbance; what comes after must happen by itself. */
  strike(system: System): Promise<void>;
}

/** A process that ends with SIGKILL; the supervisor of the run starts it again, as an orchestrator would. */
function killed(name: string, instanceOf: (system: System) => Instance | undefined): Fault {
  return {
    name: `kill -9 ${name}`,
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
    ...onlyWith(name),
    name: `stop ${name} 10 s`,
    strike: (system) => outage(system.servers[name], 'stop'),
  };
}

/** A server that crashes, with all connections cut at once, and comes back after ten seconds. */
function crashed(name: ServerName): Fault {
  return {
    ...onlyWith(name),
    name: `kill -9 ${name} 10 s`,
    strike: (system) => outage(system.servers[name], 'kill'),
  };
}

function onlyWith(name: ServerName): Pick<Fault, 'store'> {
  return name === 'mongodb' ? { store: 'mongodb' } : {};
}

async function outage(server: Server | undefined, how: 'stop' | 'kill'): Promise<void> {
  if (!server) throw new Error('There is no such server.');
  await server[how]();
  await delay(OUTAGE_MS);
  await server.start();
}

const nothing: Fault = { name: 'nothing', strike: () => Promise.resolve() };

const flushed: Fault = {
  name: 'flush redis',
  async strike(system) {
    const redis = new Redis(system.servers.redis.url);
    try {
      await redis.flushall();
    } finally {
      redis.disconnect();
    }
  },
};

const frozen: Fault = {
  name: 'freeze messaging 30 s',
  async strike(system) {
    const [owner] = system.apps.of('messaging');
    if (!owner) throw new Error('There is no messaging to freeze.');
    owner.freeze();
    await delay(FREEZE_MS);
    owner.thaw();
  },
};

/** In the order in which they strike. With one instance of messaging, the first one owns everything. */
export const faults: Fault[] = [
  nothing,
  killed('messaging', ({ apps }) => apps.of('messaging')[0]),
  killed('realtime', ({ apps }) => apps.of('realtime')[0]),
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
  flushed,
  frozen,
];

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
