import { readFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { isIP, isIPv4 } from 'node:net';
import { z } from 'zod';
import { logLevelsRule, parseLogLevels } from './log-level';
import { addressOf } from './tls/address';
import { sharedTls, tlsFilesOf, tlsProblems } from './tls/settings';

/** Says which environment variable is wrong and why; never its value, which may be a secret. */
export class ConfigError extends Error {
  constructor(problems: string[]) {
    super(`The configuration is wrong.\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
    this.name = 'ConfigError';
    // The reader of this error is an operator: the stack says nothing to them.
    this.stack = `${this.name}: ${this.message}`;
  }
}

const wholeNumber = (min: number, max: number) =>
  z.string().regex(/^\d+$/, 'must be a whole number').transform(Number).pipe(z.number().min(min).max(max));

/** A bound given as text in the environment, with its default. */
export function numberVariable(fallback: number, min = 0, max = Number.MAX_SAFE_INTEGER) {
  return wholeNumber(min, max).default(fallback);
}

const PORT_MEANING = 'The port to listen on; 0 takes any free one.';

/** The port to listen on, with the app's default. */
export function portVariable(fallback: number) {
  return numberVariable(fallback, 0, 65_535).describe(PORT_MEANING);
}

/** What stands in a setting that is a secret: how it looks, for checks and documents. */
const secret = (example: string) => ({ secret: true, example });

/** `name=value` pairs separated by commas, values percent-encoded, as OpenTelemetry writes lists in variables. */
const pairs = z.string().transform((text, context) => {
  try {
    return Object.fromEntries(
      text.split(',').map((pair) => {
        const [, name, value] = /^\s*([^=\s]+)=([^=,]*)$/.exec(pair) ?? [];
        if (name === undefined || value === undefined) throw new URIError();
        return [name, decodeURIComponent(value.trim())];
      }),
    );
  } catch {
    context.addIssue({
      code: 'custom',
      message: 'must be name=value pairs, separated by commas, values percent-encoded',
    });
    return z.NEVER;
  }
});

const PROXY_NAMES: ReadonlySet<string> = new Set(['loopback', 'linklocal', 'uniquelocal']);

/** One of what Express takes for `trust proxy`, which it would itself refuse without a word on the setting. */
function isProxy(text: string): boolean {
  if (PROXY_NAMES.has(text)) return true;
  const [address = '', size, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  if (size === undefined || (version === 4 && isIPv4(size))) return true;
  return /^\d{1,3}$/.test(size) && Number(size) > 0 && Number(size) <= (version === 4 ? 32 : 128);
}

/** Where traces go; OpenTelemetry's own names. */
export const tracingConfig = z.object({
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .string()
    .regex(/^https?:\/\/[^\s?#]+$/, 'must be an http:// or https:// address')
    .optional()
    .describe(
      'Collector that takes traces by OTLP over HTTP, without `/v1/traces`. Without it none are made.',
    ),
  OTEL_EXPORTER_OTLP_HEADERS: pairs
    .optional()
    .describe('Headers for the collector, `name=value`, separated by commas, values percent-encoded.')
    .meta(secret('authorization=Bearer%20token')),
  OTEL_TRACES_SAMPLER_ARG: z
    .string()
    .regex(/^(0(\.\d+)?|1(\.0+)?)$/, 'must be a share from 0 to 1')
    .transform(Number)
    .default(0.01)
    .describe(
      'Share of the traces that begin here and are sampled, 0 to 1. Whose caller decided is as the caller says.',
    ),
  OTEL_RESOURCE_ATTRIBUTES: pairs
    .default({})
    .describe('What else every span says of where it comes from, `name=value`, separated by commas.'),
  TRACES_REQUESTED_PER_SECOND_MAX: numberVariable(20, 0, 1_000_000).describe(
    "Traces that one instance makes because a client asks for them; beyond it a client's wish is ignored.",
  ),
});
export type TracingConfig = z.infer<typeof tracingConfig>;

/** What every service needs. */
export const baseConfig = tracingConfig.extend({
  HOST: z.string().default('127.0.0.1').describe('The address to listen on; loopback unless told otherwise.'),
  PORT: wholeNumber(0, 65_535).describe(PORT_MEANING),
  INSTANCE_ID: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, dashes or underscores')
    .default(() => randomUUID())
    .describe('Names this process among its siblings in logs and on the broker.'),
  LOG_LEVEL: z
    .string()
    .refine((text) => parseLogLevels(text) !== undefined, logLevelsRule)
    .default('info')
    .describe(
      '`trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`; for single loggers another: `info,Broker=debug`.',
    ),
  LOG_LEVEL_FILE: z
    .string()
    .optional()
    .describe('File that overrules LOG_LEVEL, and beside it may be missing. Watched: the levels follow it.'),
  TRUSTED_PROXIES: z
    .string()
    .refine(
      (text) => text.split(',').every((part) => isProxy(part.trim())),
      'must be loopback, linklocal, uniquelocal, addresses or networks, separated by commas',
    )
    .default('loopback')
    .describe(
      'Whose X-Real-IP is believed, the gateways’: express `trust proxy` names or networks, separated by commas.',
    ),
  DRAIN_GRACE_MS: numberVariable(0, 0, 120_000).describe(
    'How long readiness is down before the doors close, so that balancers notice.',
  ),
  DRAIN_TIMEOUT_MS: numberVariable(15_000, 100, 600_000).describe(
    'After this the process ends, whatever is still under way.',
  ),
});
export type BaseConfig = z.infer<typeof baseConfig>;

export const databaseConfig = z.object({
  DATABASE_URL: addressOf('DATABASE')
    .describe(
      'PostgreSQL, `postgres://user:password@host:port/database`; encrypted with `?sslmode=verify-full`.',
    )
    .meta(secret('postgres://user:password@postgres/parley')),
  DATABASE_POOL_MAX: numberVariable(10, 1, 200).describe(
    'Connections of one instance; feeds take a few besides.',
  ),
  ...tlsFilesOf('DATABASE'),
  ...sharedTls,
});
export type DatabaseConfig = z.infer<typeof databaseConfig>;

/** Where messages are kept; for the apps that have both stores. See `chooseMessageStore`. */
export const messageStoreConfig = z.object({
  MESSAGE_STORE: z
    .enum(['postgresql', 'mongodb'])
    .default('postgresql')
    .describe('Where messages are kept: `postgresql` or `mongodb`.'),
  MONGODB_URL: addressOf('MONGODB')
    .regex(/:\/\/[^/]+\/[^/?]+/, 'must name a database')
    .optional()
    .describe(
      'MongoDB with its database, `mongodb://user:password@host:port/database`; required where it is the store.',
    )
    .meta(secret('mongodb://user:password@mongodb:27017/parley?tls=true')),
  MONGODB_POOL_MAX: numberVariable(10, 1, 200).describe('Connections of one instance to MongoDB.'),
  ...tlsFilesOf('MONGODB'),
  ...sharedTls,
});
export type MessageStoreConfig = z.infer<typeof messageStoreConfig>;

type StoreUrl = 'DATABASE_URL' | 'MONGODB_URL';

/**
 * Demands of a configuration with `messageStoreConfig` the addresses that its store needs. It comes last: a schema that
 * demands something cannot be extended.
 */
export function chooseMessageStore<T extends z.ZodObject>(
  schema: T,
  needs: Record<MessageStoreConfig['MESSAGE_STORE'], readonly StoreUrl[]>,
): T {
  return schema.check((context) => {
    const given = context.value as Partial<Record<StoreUrl, string>> & MessageStoreConfig;
    for (const name of needs[given.MESSAGE_STORE])
      if (given[name] === undefined)
        context.issues.push({
          code: 'custom',
          path: [name],
          message: 'is required',
          input: context.value,
          continue: true,
        });
  }) as T;
}

export const redisConfig = z.object({
  REDIS_URL: addressOf('REDIS')
    .describe('Redis, `redis://`; encrypted: `rediss://`.')
    .meta(secret('redis://redis:6379')),
  ...tlsFilesOf('REDIS'),
  ...sharedTls,
});
export type RedisConfig = z.infer<typeof redisConfig>;

export const brokerConfig = z.object({
  AMQP_URL: addressOf('AMQP')
    .describe('RabbitMQ, `amqp://`; encrypted: `amqps://`.')
    .meta(secret('amqp://user:password@rabbitmq:5672')),
  ...tlsFilesOf('AMQP'),
  ...sharedTls,
});
export type BrokerConfig = z.infer<typeof brokerConfig>;

/** What it takes to check access tokens. */
export const tokenConfig = z.object({
  JWT_PUBLIC_KEYS_FILE: z
    .string()
    .describe('JWKS with the public ES256 keys by which access tokens are checked. Watched.'),
  JWT_ISSUER: z.string().default('parley').describe('`iss` of access tokens.'),
  JWT_AUDIENCE: z.string().default('parley').describe('`aud` of access tokens.'),
});
export type TokenConfig = z.infer<typeof tokenConfig>;

/** What may be given by itself, too: it holds while there is no file. */
const OVERRULED: ReadonlySet<string> = new Set(['LOG_LEVEL']);

/**
 * Reads the configuration from the environment. Empty variables count as absent. `NAME_FILE` may hold the path of a file
 * with the value instead (mounted secrets). Compose the pieces: `baseConfig.extend(databaseConfig.shape)`.
 *
 * @throws ConfigError naming each offending variable.
 */
export function loadConfig<T extends z.ZodObject>(
  schema: T,
  environment: NodeJS.ProcessEnv = process.env,
): z.output<T> {
  const problems = new Map<string, string>();
  const input: Record<string, string> = {};
  for (const name of Object.keys(schema.shape)) {
    const value = environment[name];
    const file = environment[`${name}_FILE`];
    if (value) input[name] = value;
    if (value && file && !OVERRULED.has(name))
      problems.set(name, `${name}: is given twice, by itself and by ${name}_FILE`);
    else if (file) {
      try {
        input[name] = readFileSync(file, 'utf8').trim();
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (!(value && code === 'ENOENT'))
          problems.set(name, `${name}_FILE: ${file} cannot be read (${code})`);
      }
    }
  }
  const result = schema.safeParse(input);
  if (result.success && problems.size === 0) {
    const contradictions = [...tlsProblems(result.data, environment), ...drainProblems(result.data)];
    if (contradictions.length > 0) throw new ConfigError(contradictions);
    return result.data;
  }
  for (const { path, message } of result.error?.issues ?? []) {
    const name = path.join('.');
    if (!problems.has(name)) problems.set(name, `${name}: ${name in input ? message : 'is required'}`);
  }
  throw new ConfigError([...problems.values()]);
}

/** What is done one after the other while a process drains must find room before it is ended. */
function drainProblems(config: Record<string, unknown>): string[] {
  const { DRAIN_TIMEOUT_MS: timeout } = config;
  if (typeof timeout !== 'number') return [];
  const parts = ['DRAIN_GRACE_MS', 'DRAIN_MS'].filter((name) => typeof config[name] === 'number');
  const sum = parts.reduce((total, name) => total + (config[name] as number), 0);
  return sum < timeout
    ? []
    : [`DRAIN_TIMEOUT_MS: must exceed ${parts.join(' and ')}${parts.length > 1 ? ' together' : ''}`];
}
