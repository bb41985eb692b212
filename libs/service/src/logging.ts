import { readFileSync } from 'node:fs';
import { types } from 'node:util';
import type { LoggerService } from '@nestjs/common';
import pino, { type Logger } from 'pino';
import { activeContext } from './context';
import { logLevelsRule, parseLogLevels, type LogLevels } from './log-level';
import { watchSettingsFile } from './watched-file';

/**
 * JSON lines on stdout. Nothing personal belongs here: no bodies, tokens, mail or network addresses. What a line needs
 * is ids, codes, counts and durations; request, trace and span id are added by themselves.
 */
const identity: { service?: string; instance?: string } = {};

/** Until `configureLogging`, and in programs that never call it, such as migrations. */
let levels: LogLevels = parseLogLevels(process.env.LOG_LEVEL ?? '') ?? { all: 'info', of: new Map() };

const root = pino({
  level: levels.all,
  base: undefined,
  timestamp: pino.stdTimeFunctions.isoTime,
  formatters: { level: (label) => ({ level: label }) },
  serializers: { err: serializeError },
  mixin() {
    const context = activeContext();
    if (!context) return { ...identity };
    const { requestId, traceparent } = context;
    // Named as OpenTelemetry names them in logs of other formats than its own.
    return { ...identity, requestId, trace_id: traceparent.slice(3, 35), span_id: traceparent.slice(36, 52) };
  },
});

const loggers = new Map<string, Logger>();

/** The logger of one part of the service, for example `getLogger('Outbox')`. Cheap: one per name. */
export function getLogger(context: string): Logger {
  let logger = loggers.get(context);
  if (!logger) {
    logger = root.child({ context });
    logger.level = levels.of.get(context) ?? levels.all;
    loggers.set(context, logger);
  }
  return logger;
}

/**
 * Names the process in every following line and sets the levels. With a file these follow it, until the function that is
 * returned is called: who operates the service changes them while it runs. While it is not there LOG_LEVEL holds, or what was
 * in it last.
 *
 * @param settings.levels as LOG_LEVEL has them
 */
export function configureLogging(settings: {
  service: string;
  instance: string;
  levels: string;
  file?: string;
}): () => void {
  identity.service = settings.service;
  identity.instance = settings.instance;
  setLevels(settings.levels);
  const { file } = settings;
  if (file === undefined) return () => undefined;
  let inForce = settings.levels;
  return watchSettingsFile(file, () => {
    try {
      const text = levelsIn(file) ?? process.env.LOG_LEVEL ?? inForce;
      if (text === inForce) return;
      setLevels(text);
      inForce = text;
      getLogger('Logging').info({ levels: text }, 'The levels of the log were changed.');
    } catch (error) {
      getLogger('Logging').error({ err: error }, 'LOG_LEVEL_FILE is bad; the levels stay.');
    }
  });
}

/** Undefined while there is no such file. */
function levelsIn(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function setLevels(text: string): void {
  const next = parseLogLevels(text);
  if (!next) throw new Error(`${JSON.stringify(text.slice(0, 100))} ${logLevelsRule}`);
  levels = next;
  root.level = next.all;
  for (const [name, logger] of loggers) logger.level = next.of.get(name) ?? next.all;
}

/** Like `instanceof Error`, and true as well for errors of another realm, as Node's own are inside jest. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || types.isNativeError(value);
}

/** What MongoDB says of a command, and not the driver of a connection. */
const ofMongo = /^Mongo(Server|BulkWrite|WriteConcern)Error$/;

/**
 * Database errors quote the values that they choke on, so of those only the codes are written; of all others the
 * message and the stack.
 */
export function serializeError(error: unknown): Record<string, unknown> {
  if (!isError(error)) return { type: typeof error };
  const source = error as Error & { code?: unknown; driverError?: object };
  const database = (source.driverError ?? source) as {
    code?: unknown;
    /** MongoDB's word for it. */
    codeName?: unknown;
    severity?: unknown;
    constraint?: unknown;
    table?: unknown;
  };
  if (source.driverError || database.severity !== undefined || ofMongo.test(error.name)) {
    const stack = error.stack?.split('\n').filter((row) => row.startsWith('    at '));
    return {
      type: error.name,
      code: database.code,
      codeName: database.codeName,
      constraint: database.constraint,
      table: database.table,
      stack: stack?.join('\n'),
    };
  }
  const cause = error.cause === undefined ? undefined : serializeError(error.cause);
  return { type: error.name, message: error.message, code: source.code, stack: error.stack, cause };
}

const startUp = new Set<unknown>(['NestFactory', 'InstanceLoader', 'RoutesResolver', 'RouterExplorer']);

/** Nest's own lines, in the same form. */
export class NestLogger implements LoggerService {
  log(message: unknown, ...rest: unknown[]): void {
    // Nest tells every module and route as it starts; that is detail.
    this.write(startUp.has(rest.at(-1)) ? 'debug' : 'info', message, rest);
  }
  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }
  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }
  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }
  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }
  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }

  /** Nest passes the context last, and before it, for errors, a stack. */
  private write(
    level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal',
    message: unknown,
    rest: unknown[],
  ) {
    const last = rest.at(-1);
    const logger = getLogger(typeof last === 'string' && !last.includes('\n') ? last : 'Nest');
    if (isError(message)) logger[level]({ err: message }, message.name);
    else if (typeof message === 'string') logger[level](message);
    else logger[level]('A message that is not text was logged.');
  }
}
