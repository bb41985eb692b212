import { parseScale, parseStore } from '@parley/tool-load';
import { LocalError, type MessageStore, readOptions, type Scale } from '@parley/tool-local';
import type { Fault } from './fault/fault';
import { balancedFaults, faults, slugOf, upgradeFaults } from './fault/faults';
import { type Plant, plantedFault, plants } from './fault/plant';
import { PACE_MS } from './load/load';

export interface FaultOptions {
  faults: Fault[];
  durationMs: number;
  /** Between two actions of one person, on average; undefined leaves it to the store, as with `scale`. */
  paceMs?: number;
  /** Two gateways behind the load balancer. */
  balanced: boolean;
  /** A commit whose build runs beside the present one. */
  from?: string;
  scale?: Scale;
  /** Faults that strike one deployment before the next one is started; undefined leaves it to the store. */
  rounds?: number;
  store: MessageStore;
  /** Encrypted connections, to the gateway and to the servers. */
  tls: boolean;
  seed: number;
  plant?: Plant;
  keep: boolean;
}

/** How much there is of everything, and how long. */
export type Strength = Required<Pick<FaultOptions, 'scale' | 'paceMs' | 'rounds'>>;

const DURATION_S = '3';
/** Several of everything: three owners and three socket nodes, two of each of the others. */
const SCALE = 'auth=2,messaging=3,history=2,presence=2,notification=2,realtime=3';
/** FerretDB hands whole partitions to whoever asks for the end of one, so its cost rises with every message. */
const FERRETDB_PACE_MS = 3000;
/** More processes than these get nothing from it in time on two cores. */
const FERRETDB_SCALE = 'auth=1,messaging=2,history=1,presence=1,notification=1,realtime=2';
/** And no log that is longer than so many rounds make it. */
const FERRETDB_ROUNDS = 4;

export const USAGE = `npm run faults -- [options]
  --only NAME,…     which of ${faults.map(slugOf).join(', ')} (default: all)
  --balanced        two gateways behind HAProxy; the faults are ${balancedFaults.map(slugOf).join(', ')}
  --from REF        builds that commit beside this one; the fault is ${upgradeFaults.map(slugOf).join(', ')}
  --duration S      seconds of load before each fault and after each recovery (default ${DURATION_S})
  --pace MS         between two actions of each of the 24 people, on average (default ${PACE_MS}; with FerretDB ${FERRETDB_PACE_MS})
  --scale APP=N,…   instances (default ${SCALE};
                    with FerretDB ${FERRETDB_SCALE})
  --rounds N        faults that strike one deployment; then the next is started (default all; with FerretDB ${FERRETDB_ROUNDS})
  --store NAME      where messages are kept: postgresql (default) or mongodb
  --tls             HTTPS at the gateway, and encrypted connections to the servers
  --seed N          of the course of the load (default: another one each time)
  --plant BUG       damage something, in PostgreSQL (${plants.join(', ')}), and demand that the check finds it
  --keep            leave the temporary directory with data and logs in place`;

/** @throws LocalError with the usage; undefined when help was asked for. */
export function parseOptions(args: string[]): FaultOptions | undefined {
  const values = read(args);
  if (values.help) return undefined;
  const store = parseStore(values.store);
  const every = values.from !== undefined ? upgradeFaults : values.balanced ? balancedFaults : faults;
  const all = every.filter((one) => !one.store || one.store === store);
  const plant = plants.find((one) => one === values.plant);
  if (values.plant !== undefined && !plant) throw new LocalError(`--plant: no "${values.plant}".`, USAGE);
  if (plant && store !== 'postgresql')
    throw new LocalError('--plant knows the view in PostgreSQL only.', USAGE);
  return {
    faults: plant ? [plantedFault(plant)] : values.only === undefined ? all : chosen(values.only, all),
    balanced: values.balanced,
    ...(values.from === undefined ? {} : { from: values.from }),
    durationMs: number(values.duration, '--duration') * 1000,
    ...(values.pace === undefined ? {} : { paceMs: number(values.pace, '--pace') }),
    ...(values.scale === undefined ? {} : { scale: parseScale(values.scale) }),
    ...(values.rounds === undefined ? {} : { rounds: Math.max(1, number(values.rounds, '--rounds')) }),
    store,
    tls: values.tls,
    seed: values.seed === undefined ? Date.now() % 1_000_000 : number(values.seed, '--seed'),
    ...(plant ? { plant } : {}),
    keep: values.keep,
  };
}

/** As it was said, else what the store can serve. */
export function strengthOf({ scale, paceMs, rounds }: Partial<Strength>, isFerret: boolean): Strength {
  return {
    scale: scale ?? parseScale(isFerret ? FERRETDB_SCALE : SCALE),
    paceMs: paceMs ?? (isFerret ? FERRETDB_PACE_MS : PACE_MS),
    rounds: rounds ?? (isFerret ? FERRETDB_ROUNDS : Infinity),
  };
}

function read(args: string[]) {
  const options = {
    only: { type: 'string' },
    duration: { type: 'string', default: DURATION_S },
    pace: { type: 'string' },
    scale: { type: 'string' },
    rounds: { type: 'string' },
    store: { type: 'string', default: 'postgresql' },
    tls: { type: 'boolean', default: false },
    seed: { type: 'string' },
    plant: { type: 'string' },
    from: { type: 'string' },
    balanced: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  } as const;
  return readOptions(args, options, USAGE);
}

function chosen(names: string, all: Fault[]): Fault[] {
  return names
    .split(',')
    .filter(Boolean)
    .map((name) => {
      const fault = all.find((one) => slugOf(one) === name);
      if (!fault) throw new LocalError(`--only: there is no fault "${name}".`, USAGE);
      return fault;
    });
}

function number(text: string, option: string): number {
  const value = Number(text);
  if (!(value >= 0)) throw new LocalError(`${option} takes a number, not "${text}".`, USAGE);
  return value;
}
