import {
  APPS,
  type AppName,
  LocalError,
  MESSAGE_STORES,
  type MessageStore,
  readOptions,
  type Scale,
} from '@parley/tool-local';
import { type Scenario, scenarios } from './scenario/scenario';

export const doors = ['realtime', 'gateway'] as const;
export type Door = (typeof doors)[number];

export interface BenchOptions {
  scenarios: Scenario[];
  doors: Door[];
  users: number;
  durationMs: number;
  warmUpMs: number;
  scale: Scale;
  store: MessageStore;
  tls: boolean;
  /** Write the results there too, as JSON. */
  json?: string;
  /** Profile this app during each measured window. */
  profile?: AppName;
  keep: boolean;
}

export const USAGE = `npm run bench -- [options]
  --scenario NAME,…  which of ${scenarios.map(({ name }) => name).join(', ')} (default: all)
  --door NAME,…      where the sockets go in: realtime, gateway (default: both)
  --users N          people with one socket each (default 400)
  --duration S       seconds measured of each scenario (default 15)
  --warm-up S        seconds before that (default 5)
  --scale APP=N,…    several instances of an app
  --store NAME       where messages are kept: postgresql (default) or mongodb
  --tls              HTTPS at the gateway, and encrypted connections to the servers
  --json FILE        write the results there too
  --profile APP      show where the CPU time of this app goes
  --keep             leave the temporary directory with data, logs and profiles in place`;

/** @throws LocalError with the usage; undefined when help was asked for. */
export function parseOptions(args: string[]): BenchOptions | undefined {
  const values = read(args);
  if (values.help) return undefined;
  return {
    scenarios: names(values.scenario, '--scenario').map((name) =>
      oneOf(name, scenarios, (one) => one.name, '--scenario'),
    ),
    doors: names(values.door, '--door').map((name) => oneOf(name, doors, (one) => one, '--door')),
    users: count(values.users, '--users', 1),
    durationMs: count(values.duration, '--duration', 1) * 1000,
    warmUpMs: count(values['warm-up'], '--warm-up', 0) * 1000,
    scale: parseScale(values.scale),
    store: parseStore(values.store),
    tls: values.tls,
    ...(values.json ? { json: values.json } : {}),
    ...(values.profile ? { profile: oneOf(values.profile, APPS, (one) => one, '--profile') } : {}),
    keep: values.keep,
  };
}

function read(args: string[]) {
  const options = {
    scenario: { type: 'string', default: scenarios.map(({ name }) => name).join() },
    door: { type: 'string', default: doors.join() },
    users: { type: 'string', default: '400' },
    duration: { type: 'string', default: '15' },
    'warm-up': { type: 'string', default: '5' },
    scale: { type: 'string', default: '' },
    store: { type: 'string', default: 'postgresql' },
    tls: { type: 'boolean', default: false },
    json: { type: 'string' },
    profile: { type: 'string' },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  } as const;
  return readOptions(args, options, USAGE);
}

/** `APP=N,APP=N` as numbers of instances. @throws LocalError */
export function parseScale(text: string): Scale {
  return Object.fromEntries(
    text
      .split(',')
      .filter(Boolean)
      .map((part) => {
        const [name = '', number = ''] = part.split('=');
        return [oneOf(name, APPS, (one) => one, '--scale'), count(number, '--scale', 1)];
      }),
  );
}

/** @throws LocalError for any other word. */
export function parseStore(text: string): MessageStore {
  return oneOf(text, MESSAGE_STORES, (one) => one, '--store');
}

function names(text: string, option: string): string[] {
  const list = text.split(',').filter(Boolean);
  if (list.length === 0) throw new LocalError(`${option} names nothing.`, USAGE);
  return list;
}

function oneOf<T>(name: string, all: readonly T[], nameOf: (one: T) => string, option: string): T {
  const found = all.find((one) => nameOf(one) === name);
  if (found === undefined)
    throw new LocalError(`${option}: there is no "${name}".`, `There is: ${all.map(nameOf).join(', ')}.`);
  return found;
}

function count(text: string, option: string, min: number): number {
  const value = Number(text);
  if (!(value >= min)) throw new LocalError(`${option} takes a number from ${min}, not "${text}".`, USAGE);
  return value;
}
