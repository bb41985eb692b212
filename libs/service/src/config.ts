import { readFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
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

/** `name=value` pairs separated by commas, values percent-encoded, as OpenTelemetry writes lists in variables. */
const pairs = z
  .string()
  .regex(/^[^=,]+=[^=,]*(,[^=,]+=[^=,]*)*$/, 'must be name=value pairs, separated by commas')
  .transform((text) =>
    Object.fromEntries(
      text.split(',').map((pair) => {
        const [name = '', value = ''] = pair.split('=');
        return [name.trim(), decodeURIComponent(value.trim())];
      }),
    ),
  );

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
    .meta({ secret: true, example: 'authorization=Bearer%20token' }),
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
  /** The address to listen on; loopback unless told otherwise. */
  HOST: z.string().default('127.0.0.1'),
  /** 0 takes any free port. */
  PORT: wholeNumber(0, 65_535),
  /** Names this process among its siblings in logs and on the broker. */
  INSTANCE_ID: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, dashes or underscores')
    .default(() => randomUUID()),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
  /** Whose X-Forwarded-For is believed: express `trust proxy` names or networks, separated by commas. */
  TRUSTED_PROXIES: z.string().default('loopback'),
  /** How long readiness is down before the doors close, so that balancers notice. */
  DRAIN_GRACE_MS: numberVariable(0, 0, 120_000),
  /** After this the process ends, whatever is still under way. */
  DRAIN_TIMEOUT_MS: numberVariable(15_000, 100, 600_000),
});
export type BaseConfig = z.infer<typeof baseConfig>;

export const databaseConfig = z.object({
  DATABASE_URL: addressOf('DATABASE'),
  DATABASE_POOL_MAX: numberVariable(10, 1, 200),
  ...tlsFilesOf('DATABASE'),
  ...sharedTls,
});
export type DatabaseConfig = z.infer<typeof databaseConfig>;

/** Where messages are kept; for the apps that have both stores. See `chooseMessageStore`. */
export const messageStoreConfig = z.object({
  /** Where messages are kept: `postgresql` or `mongodb`. */
  MESSAGE_STORE: z.enum(['postgresql', 'mongodb']).default('postgresql'),
  /** MongoDB with its database, `mongodb://user:password@host:port/database`; required where it is the store. */
  MONGODB_URL: addressOf('MONGODB')
    .regex(/:\/\/[^/]+\/[^/?]+/, 'must name a database')
    .optional(),
  /** Connections of one instance to MongoDB. */
  MONGODB_POOL_MAX: numberVariable(10, 1, 200),
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
  REDIS_URL: addressOf('REDIS'),
  ...tlsFilesOf('REDIS'),
  ...sharedTls,
});
export type RedisConfig = z.infer<typeof redisConfig>;

export const brokerConfig = z.object({
  AMQP_URL: addressOf('AMQP'),
  ...tlsFilesOf('AMQP'),
  ...sharedTls,
});
export type BrokerConfig = z.infer<typeof brokerConfig>;

/** What it takes to check access tokens. */
export const tokenConfig = z.object({
  JWT_PUBLIC_KEYS_FILE: z.string(),
  JWT_ISSUER: z.string().default('parley'),
  JWT_AUDIENCE: z.string().default('parley'),
});
export type TokenConfig = z.infer<typeof tokenConfig>;

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
  const problems: string[] = [];
  const input: Record<string, string> = {};
  for (const name of Object.keys(schema.shape)) {
    const value = environment[name];
    const file = environment[`${name}_FILE`];
    if (value && file) problems.push(`${name}: is given twice, by itself and by ${name}_FILE`);
    else if (value) input[name] = value;
    else if (file) {
      try {
        input[name] = readFileSync(file, 'utf8').trim();
      } catch (error) {
        problems.push(`${name}_FILE: cannot be read (${(error as NodeJS.ErrnoException).code})`);
      }
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  const result = schema.safeParse(input);
  if (result.success) {
    const contradictions = tlsProblems(result.data, environment);
    if (contradictions.length > 0) throw new ConfigError(contradictions);
    return result.data;
  }
  throw new ConfigError(
    result.error.issues.map((issue) => {
      const name = issue.path.join('.');
      return `${name}: ${name in input ? issue.message : 'is required'}`;
    }),
  );
}
