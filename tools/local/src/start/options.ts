import { parseArgs } from 'node:util';
import { APPS, type AppName, type Scale } from '../apps/catalogue';
import { LocalError } from '../system/local-error';

export interface StartOptions {
  /** Of the gateway. */
  port: number;
  scale: Scale;
  /** A Prometheus beside it. */
  monitor: boolean;
}

export const USAGE = `npm start -- [--port N] [--scale APP=N,APP=N] [--monitor]
  --port   port of the gateway on 127.0.0.1 (default 8000)
  --scale  how many instances of an app, e.g. realtime=2,messaging=2; one where nothing is said
  --monitor  starts a Prometheus too, with the rules and alerts that Docker and Kubernetes use
Apps: ${APPS.join(', ')}.
Running servers are used when DATABASE_URL, REDIS_URL and AMQP_URL name them.`;

const INSTANCES_MAX = 16;

/** @throws LocalError with the usage; undefined when help was asked for. */
export function parseOptions(args: string[]): StartOptions | undefined {
  const values = read(args);
  if (values.help) return undefined;
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw wrong(`--port ${values.port} is no port.`);
  return { port, scale: parseScale(values.scale ?? ''), monitor: values.monitor };
}

function read(args: string[]): { port: string; scale?: string; monitor: boolean; help?: boolean } {
  try {
    const options = {
      port: { type: 'string', default: '8000' },
      scale: { type: 'string' },
      monitor: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    } as const;
    return parseArgs({ args, options }).values;
  } catch (error) {
    throw wrong((error as Error).message);
  }
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

function wrong(message: string): LocalError {
  return new LocalError(message, USAGE);
}
