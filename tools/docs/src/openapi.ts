import {
  errorCatalog,
  limits,
  operations,
  problem,
  routes,
  type ErrorCode,
  type OperationId,
} from '@parley/contracts';
import type { z } from 'zod';
import { Schemas, type JsonSchema } from './schemas';

interface Spec {
  summary: string;
  description?: string;
  params?: z.ZodType;
  query?: z.ZodType;
  body?: z.ZodType;
  idempotencyKey?: true;
  answers: Readonly<Record<number, { description: string; body: z.ZodType | null }>>;
  refusals?: readonly ErrorCode[];
}

const json = (schema: JsonSchema) => ({ 'application/json': { schema } });
const problemJson = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };

const alwaysPossible: readonly ErrorCode[] = ['invalid_request', 'rate_limited', 'internal', 'unavailable'];
const whereBodiesAre: readonly ErrorCode[] = ['payload_too_large', 'unsupported_media_type'];
const whereTokensAre: readonly ErrorCode[] = ['unauthenticated', 'token_expired'];

/** Operations are grouped by the app that answers them. */
const tags: Record<(typeof routes)[OperationId]['app'], string> = {
  auth: 'Accounts, sessions, profiles.',
  messaging: 'Conversations and every write to them.',
  history: 'Reading messages, and catching up.',
  presence: 'Who is online.',
  notification: "A user's in-app list.",
};

const headers = {
  retryAfter: { description: 'Whole seconds to wait.', schema: { type: 'integer' } },
  rateLimit: {
    'RateLimit-Limit': {
      description: 'Requests in the window that has the fewest left.',
      schema: { type: 'integer' },
    },
    'RateLimit-Remaining': { description: 'Of these, how many are left.', schema: { type: 'integer' } },
    'RateLimit-Reset': { description: 'Seconds until the window ends.', schema: { type: 'integer' } },
  },
  requestId: { description: 'Names this request in the logs.', schema: { type: 'string' } },
};

/** One answer per status; its codes in the description, with what may be sent again. */
function refusals(codes: readonly ErrorCode[]): Record<string, JsonSchema> {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of codes) {
    const { status } = errorCatalog[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return Object.fromEntries(
    [...byStatus].map(([status, found]) => {
      const mayRetry = found.some((code) => errorCatalog[code].retry);
      const names = found.map((code) => `\`${code}\``).join(', ');
      const answer: JsonSchema = {
        description: `${names}${mayRetry ? '; may be sent again' : ''}.`,
        headers: {
          'X-Request-Id': headers.requestId,
          ...([429, 503].includes(status) && { 'Retry-After': headers.retryAfter }),
          ...(status === 429 && headers.rateLimit),
        },
        content: problemJson,
      };
      return [String(status), answer];
    }),
  );
}

function operation(schemas: Schemas, id: OperationId): JsonSchema {
  const spec: Spec = operations[id];
  const route = routes[id];
  const isPublic = 'public' in route;
  const parameters = [
    ...(spec.params ? schemas.parameters(spec.params, 'path') : []),
    ...(spec.query ? schemas.parameters(spec.query, 'query') : []),
    ...(spec.idempotencyKey
      ? [
          {
            name: 'Idempotency-Key',
            in: 'header',
            required: false,
            description: 'Names this creation: the same key with the same request makes nothing new.',
            schema: { type: 'string', minLength: 1, maxLength: limits.idempotencyKeyCharsMax },
          },
        ]
      : []),
  ];
  const codes = [
    ...alwaysPossible,
    ...(spec.body ? whereBodiesAre : []),
    ...(isPublic ? [] : whereTokensAre),
    ...(spec.refusals ?? []),
  ];
  const answers = Object.entries(spec.answers).map(([status, { description, body }]) => [
    status,
    { description, ...(body && { content: json(schemas.of(body, 'output')) }) },
  ]);
  return {
    operationId: id,
    summary: spec.summary,
    ...(spec.description && { description: spec.description }),
    tags: [route.app],
    security: isPublic ? [] : [{ accessToken: [] }],
    ...(parameters.length > 0 && { parameters }),
    ...(spec.body && {
      requestBody: {
        required: !spec.body.isOptional(),
        content: json(schemas.of(unwrapped(spec.body), 'input')),
      },
    }),
    responses: { ...Object.fromEntries(answers), ...refusals(codes) },
  };
}

function unwrapped(schema: z.ZodType): z.ZodType {
  return schema.isOptional() && 'unwrap' in schema ? (schema as z.ZodOptional<z.ZodType>).unwrap() : schema;
}

/** The OpenAPI 3.1 document of everything under the gateway. */
export function openApiDocument(version: string): JsonSchema {
  const schemas = new Schemas();
  schemas.of(problem, 'output');
  const paths: Record<string, JsonSchema> = {};
  for (const id of Object.keys(routes) as OperationId[]) {
    const { path, method } = routes[id];
    paths[path] = { ...paths[path], [method.toLowerCase()]: operation(schemas, id) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'parley',
      version,
      description:
        'Ids are UUIDs, times RFC 3339 in UTC with milliseconds, bodies JSON. Unknown fields in requests are refused; ' +
        'answers may grow. Errors are problem+json whose `code` is stable. Lists are paged by `cursor`. Requests that ' +
        'were answered with a code that may be sent again are safe to repeat, after `Retry-After` where it is given.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/', description: 'The gateway that serves this document.' }],
    tags: Object.entries(tags).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      securitySchemes: {
        accessToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
      },
      schemas: schemas.all(),
    },
  };
}
