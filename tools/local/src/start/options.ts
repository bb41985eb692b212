import { APPS, type AppName, type Scale } from '../apps/catalogue';
import { MESSAGE_STORES, type MessageStore } from '../servers/servers';
import { readOptions } from '../system/command';
import { LocalError } from '../system/local-error';

export interface StartOptions {
  /** Of the gateway. */
  port: number;
  scale: Scale;
  store: MessageStore;
  /** A Prometheus beside it. */
  monitor: boolean;
  /** Whether every connection but those behind the gateway is encrypted. */
  tls: boolean;
}

export const USAGE = `npm start -- [--port N] [--scale APP=N,APP=N] [--store mongodb] [--monitor] [--tls]
  --port   port of the gateway on 127.0.0.1 (default 8000)
  --scale  how many instances of an app, e.g. realtime=2,messaging=2; one where nothing is said
  --store  where messages are kept: postgresql (default) or mongodb
  --monitor  starts a Prometheus too, with the rules and alerts that Docker and Kubernetes use
  --tls    HTTPS, and encrypted connections to the servers, with certificates of an authority made under .local
Apps: ${APPS.join(', ')}.
Running servers are used when DATABASE_URL, REDIS_URL, AMQP_URL and MONGODB_URL name them.
For --store mongodb, mongod is used where it is installed, else FerretDB over PostgreSQL, built with Go.`;

const INSTANCES_MAX = 16;

/** @throws LocalError with the usage; undefined when help was asked for. */
export function parseOptions(args: string[]): StartOptions | undefined {
  const values = read(args);
  if (values.help) return undefined;
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw wrong(`--port ${values.port} is no port.`);
  const store = parseStore(values.store);
  return { port, scale: parseScale(values.scale ?? ''), store, monitor: values.monitor, tls: values.tls };
}

function read(args: string[]) {
  const options = {
    port: { type: 'string', default: '8000' },
    scale: { type: 'string' },
    monitor: { type: 'boolean', default: false },
    store: { type: 'string', default: 'postgresql' },
    tls: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h' },
  } as const;
  return readOptions(args, options, USAGE);
}

function parseScale(text: string): Scale {
  const scale: Scale = {};
  for (const part of text.split(',').filter(Boolean)) {
    const [name = '', count = ''] = part.split('=');
    const app = APPS.find((one) => one === name.trim());
    const number = Number(count);
    if (!app) throw wrong(`--scale: there is no app "${name}".`);
    if (!Number.isInteger(number) || number < 1 || number > INSTANCES_MAX)
      throw wrong(`--scale: ${app} needs a number from 1 to ${INSTANCES_MAX}, not "${count}".`);
    scale[app satisfies AppName] = number;
  }
  return scale;
}

/** @throws LocalError for any other word. */
function parseStore(text: string): MessageStore {
  const store = MESSAGE_STORES.find((one) => one === text);
  if (!store) throw wrong(`--store takes ${MESSAGE_STORES.join(' or ')}, not "${text}".`);
  return store;
}

function wrong(message: string): LocalError {
  return new LocalError(message, USAGE);
}
