import { z } from 'zod';
import { pluginSchema } from './plugin.schema';

/** The entities of Kong's declarative format that the stand-in runs. A field that is not here is refused. */

const port = z.number().int().min(1).max(65_535);
const statuses = z.array(z.number().int().min(100).max(999));
const count = z.number().int().min(0).default(0);
const seconds = z.number().min(0).max(65_535);
const timeoutMs = z.number().int().min(1).default(60_000);

const active = z.strictObject({
  type: z.literal('http').default('http'),
  http_path: z.string().startsWith('/').default('/'),
  timeout: seconds.default(1),
  concurrency: z.number().int().min(1).default(10),
  healthy: z
    .strictObject({
      interval: seconds.default(0),
      successes: count,
      http_statuses: statuses.default([200, 302]),
    })
    .prefault({}),
  unhealthy: z
    .strictObject({
      interval: seconds.default(0),
      http_failures: count,
      tcp_failures: count,
      timeouts: count,
      http_statuses: statuses.default([429, 404, 500, 501, 502, 503, 504, 505]),
    })
    .prefault({}),
});

const passive = z.strictObject({
  type: z.literal('http').default('http'),
  healthy: z
    .strictObject({ successes: count, http_statuses: statuses.default([200, 201, 204, 302]) })
    .prefault({}),
  unhealthy: z
    .strictObject({
      http_failures: count,
      tcp_failures: count,
      timeouts: count,
      http_statuses: statuses.default([429, 500, 503]),
    })
    .prefault({}),
});

export const upstreamSchema = z.strictObject({
  name: z.string().min(1),
  algorithm: z.enum(['round-robin', 'least-connections']).default('round-robin'),
  healthchecks: z.strictObject({ active: active.prefault({}), passive: passive.prefault({}) }).prefault({}),
  targets: z
    .array(
      z.strictObject({
        target: z.string().regex(/^[^\s:/]+:\d{1,5}$/, 'must be host:port'),
        weight: z.literal(100, 'every target must weigh 100').default(100),
      }),
    )
    .default([]),
});

/** A path is a prefix, or a regular expression after `~`; Kong runs it in Rust, which knows no look-around. */
const path = z
  .string()
  .regex(/^~?\//, 'must begin with / or ~/')
  .refine((text) => !/\(\?<?[=!]|\\[1-9]/.test(text), 'look-around and back-references do not exist in Kong')
  .refine((text) => {
    try {
      return Boolean(new RegExp(text.replace(/^~/, ''), 'u'));
    } catch {
      return false;
    }
  }, 'is no valid regular expression');

export const routeSchema = z
  .strictObject({
    name: z.string().min(1),
    paths: z.array(path).min(1).optional(),
    methods: z
      .array(z.string().regex(/^[A-Z]+$/))
      .min(1)
      .optional(),
    regex_priority: z.number().int().min(0).default(0),
    strip_path: z.boolean().default(true),
    preserve_host: z.boolean().default(false),
    request_buffering: z.literal(true).default(true),
    response_buffering: z.boolean().default(true),
    // A route for HTTP alone would be refused over HTTPS by Kong in a way that nobody here needs.
    protocols: z
      .array(z.enum(['http', 'https']))
      .refine((list) => list.includes('https'), 'must have https')
      .default(['http', 'https']),
    https_redirect_status_code: z
      .union([z.literal(426), z.literal(301), z.literal(302), z.literal(307), z.literal(308)])
      .default(426),
    plugins: z.array(pluginSchema).default([]),
  })
  .refine((route) => route.paths || route.methods, 'needs paths or methods');

export const serviceSchema = z
  .strictObject({
    name: z.string().min(1),
    url: z.url({ protocol: /^http$/ }).optional(),
    host: z.string().min(1).optional(),
    port: port.default(80),
    path: z.string().startsWith('/').nullish(),
    protocol: z.literal('http').default('http'),
    connect_timeout: timeoutMs,
    read_timeout: timeoutMs,
    write_timeout: timeoutMs,
    retries: z.number().int().min(0).max(32_767).default(5),
    routes: z.array(routeSchema).default([]),
    plugins: z.array(pluginSchema).default([]),
  })
  .refine(
    (service) => (service.url === undefined) !== (service.host === undefined),
    'needs either url or host',
  );

const consumerSchema = z.strictObject({
  username: z.string().min(1),
  jwt_secrets: z
    .array(
      z.strictObject({
        key: z.string().min(1),
        algorithm: z.literal('ES256'),
        rsa_public_key: z.string().min(1),
      }),
    )
    .default([]),
});

export const documentSchema = z.strictObject({
  _format_version: z.literal('3.0'),
  _transform: z.boolean().default(true),
  consumers: z.array(consumerSchema).default([]),
  upstreams: z.array(upstreamSchema).default([]),
  services: z.array(serviceSchema).default([]),
  routes: z.array(routeSchema).default([]),
  plugins: z.array(pluginSchema).default([]),
});

export type KongDocument = z.infer<typeof documentSchema>;
export type RouteEntry = z.infer<typeof routeSchema>;
export type ServiceEntry = z.infer<typeof serviceSchema>;
export type UpstreamEntry = z.infer<typeof upstreamSchema>;
export type ConsumerEntry = z.infer<typeof consumerSchema>;
