import { z } from 'zod';

/** The plugins of kong.yml that the stand-in runs, with Kong 3.9's defaults. A field that is not here is refused. */

const periods = ['second', 'minute', 'hour', 'day', 'month', 'year'] as const;
export type Period = (typeof periods)[number];

const limit = z.number().positive().optional();

const redis = z.strictObject({
  host: z.string().min(1),
  port: z.number().int().min(0).max(65_535).default(6379),
  username: z.string().min(1).nullish(),
  password: z.string().nullish(),
  database: z.number().int().min(0).default(0),
  timeout: z.number().int().min(1).default(2000),
  ssl: z.boolean().default(false),
  ssl_verify: z.boolean().default(false),
  server_name: z.string().nullish(),
});
export type RedisConfig = z.infer<typeof redis>;

const rateLimiting = z
  .strictObject({
    second: limit,
    minute: limit,
    hour: limit,
    day: limit,
    month: limit,
    year: limit,
    limit_by: z.enum(['ip', 'header', 'service']),
    header_name: z.string().min(1).optional(),
    policy: z.enum(['local', 'redis']).default('local'),
    fault_tolerant: z.boolean().default(true),
    hide_client_headers: z.boolean().default(false),
    error_code: z.number().int().default(429),
    error_message: z.string().default('API rate limit exceeded'),
    sync_rate: z.literal(-1).default(-1),
    redis: redis.optional(),
  })
  .superRefine((config, context) => {
    const given = periods.filter((period) => config[period] !== undefined);
    if (given.length === 0)
      context.addIssue({ code: 'custom', message: 'at least one of second … year is needed' });
    given.forEach((longer, index) => {
      const shorter = given[index - 1];
      if (shorter && config[longer]! < config[shorter]!)
        context.addIssue({
          code: 'custom',
          path: [longer],
          message: `cannot be lower than the limit for ${shorter}`,
        });
    });
    if (config.limit_by === 'header' && !config.header_name)
      context.addIssue({ code: 'custom', path: ['header_name'], message: 'is needed for limit_by header' });
    if (config.policy === 'redis' && !config.redis)
      context.addIssue({ code: 'custom', path: ['redis'], message: 'is needed for policy redis' });
  });

const jwt = z.strictObject({
  key_claim_name: z.string().default('iss'),
  claims_to_verify: z.array(z.enum(['exp', 'nbf'])).default([]),
  maximum_expiration: z.number().min(0).max(31_536_000).default(0),
  header_names: z.array(z.string()).default(['authorization']),
  uri_param_names: z.array(z.string()).default(['jwt']),
  cookie_names: z.array(z.string()).max(0, 'only an empty list is supported').default([]),
  run_on_preflight: z.boolean().default(true),
  realm: z.string().nullish(),
});

const cors = z.strictObject({
  origins: z.array(z.string().regex(/^(\*|[A-Za-z0-9.:/-]+)$/, 'only "*" and plain origins are supported')),
  methods: z
    .array(z.string())
    .default(['GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT']),
  headers: z.array(z.string()).default([]),
  exposed_headers: z.array(z.string()).default([]),
  credentials: z.boolean().default(false),
  max_age: z.number().int().optional(),
  preflight_continue: z.literal(false).default(false),
});

const correlationId = z.strictObject({
  header_name: z.string().default('Kong-Request-ID'),
  generator: z.literal('uuid'),
  echo_downstream: z.boolean().default(false),
});

const requestSizeLimiting = z.strictObject({
  allowed_payload_size: z.number().int().default(128),
  size_unit: z.enum(['megabytes', 'kilobytes', 'bytes']).default('megabytes'),
  require_content_length: z.literal(false).default(false),
});

const requestTermination = z.strictObject({
  status_code: z.number().int().min(100).max(599).default(503),
  message: z.string().optional(),
  body: z.string().optional(),
  content_type: z.string().optional(),
});

const prometheus = z.strictObject({
  per_consumer: z.literal(false).default(false),
  status_code_metrics: z.boolean().default(false),
  latency_metrics: z.boolean().default(false),
  bandwidth_metrics: z.boolean().default(false),
  upstream_health_metrics: z.boolean().default(false),
});

const functions = z.strictObject({
  access: z.array(z.string()).default([]),
  header_filter: z.array(z.string()).default([]),
  body_filter: z.array(z.string()).default([]),
});

const configs = {
  'correlation-id': correlationId,
  cors,
  jwt,
  'post-function': functions,
  'pre-function': functions,
  prometheus,
  'rate-limiting': rateLimiting,
  'request-size-limiting': requestSizeLimiting,
  'request-termination': requestTermination,
};
export type PluginName = keyof typeof configs;
export const pluginNames = Object.keys(configs) as PluginName[];

export const pluginSchema = z.discriminatedUnion('name', [
  z.strictObject({ name: z.literal('correlation-id'), config: correlationId }),
  z.strictObject({ name: z.literal('cors'), config: cors }),
  z.strictObject({ name: z.literal('jwt'), config: jwt }),
  z.strictObject({ name: z.literal('post-function'), config: functions }),
  z.strictObject({ name: z.literal('pre-function'), config: functions }),
  z.strictObject({ name: z.literal('prometheus'), config: prometheus }),
  z.strictObject({ name: z.literal('rate-limiting'), config: rateLimiting }),
  z.strictObject({ name: z.literal('request-size-limiting'), config: requestSizeLimiting }),
  z.strictObject({ name: z.literal('request-termination'), config: requestTermination }),
]);
export type PluginEntry = z.infer<typeof pluginSchema>;
export type ConfigOf<Name extends PluginName> = Extract<PluginEntry, { name: Name }>['config'];
