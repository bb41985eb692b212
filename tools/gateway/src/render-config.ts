import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { parseDocument, visit } from 'yaml';
import { ConfigError } from './config/errors';

/** A public key as JWKS files hold it. */
export interface PublicJwk extends JsonWebKey {
  kid?: string;
}

export interface RenderValues {
  /** The public keys whose tokens are accepted. */
  keys: PublicJwk[];
  /** `host:port` of every instance of every app. */
  targets: Record<'auth' | 'messaging' | 'history' | 'presence' | 'notification' | 'realtime', string[]>;
  redis: {
    host: string;
    port: number;
    username?: string;
    password?: string;
    database?: number;
    tls?: boolean;
  };
  /** Origins of browsers that may read answers. */
  webOrigins: string[];
  /** Whether plain HTTP is only redirected. */
  httpsOnly?: boolean;
  /** How long browsers that came over HTTPS shall use nothing else; 0, the default, tells them nothing. */
  hstsSeconds?: number;
  limits?: Partial<RateLimits>;
}

export interface RateLimits {
  /** A person's requests to one service. */
  userPerSecond: number;
  userPerMinute: number;
  /** An address's tries at what needs no token: login, register, password, mail. */
  addressPerMinute: number;
  addressPerHour: number;
  /** An address's refreshes of tokens. */
  refreshPerMinute: number;
  /** An address's reads of public documents. */
  publicPerMinute: number;
  /** A person's new sockets. */
  socketsPerMinute: number;
}

export const defaultLimits: RateLimits = {
  userPerSecond: 50,
  userPerMinute: 1500,
  addressPerMinute: 60,
  addressPerHour: 1000,
  refreshPerMinute: 1200,
  publicPerMinute: 600,
  socketsPerMinute: 120,
};

/**
 * Fills the placeholders of `template` (docker/kong/kong.yml, or another of the same names) and returns YAML that Kong
 * and the stand-in take. Throws `ConfigError` for a key without kid, of a wrong kind, or a placeholder without value.
 */
export function renderKongConfig(template: string, values: RenderValues): string {
  return fillPlaceholders(template, placeholderValues(values));
}

/** Puts values in place of `${NAME}`; one that stands alone keeps its type (list, number, null). */
export function fillPlaceholders(template: string, values: Record<string, unknown>): string {
  const document = parseDocument(template, { version: '1.1', merge: false });
  const problems = document.errors.map((error) => error.message);
  const valueOf = (name: string) => {
    if (!Object.hasOwn(values, name)) problems.push(`no value is given for \${${name}}`);
    return values[name];
  };
  // What was put in is not searched again: a password may look like a placeholder.
  const put = new Set<unknown>();
  visit(document, {
    Seq: (_, node) => (put.has(node) ? visit.SKIP : undefined),
    Scalar(_, node) {
      if (typeof node.value !== 'string' || put.has(node)) return undefined;
      const alone = /^\$\{([A-Z0-9_]+)\}$/.exec(node.value);
      if (alone) {
        const value = document.createNode(valueOf(alone[1]!) ?? null);
        put.add(value);
        return value;
      }
      node.value = node.value.replace(/\$\{([A-Z0-9_]+)\}/g, (_match, name: string) => String(valueOf(name)));
      return undefined;
    },
  });
  if (problems.length > 0) throw new ConfigError('the template', [...new Set(problems)]);
  return document.toString({ lineWidth: 0 });
}

function placeholderValues({
  keys,
  targets,
  redis,
  webOrigins,
  httpsOnly,
  hstsSeconds,
  limits,
}: RenderValues): Record<string, unknown> {
  const problems = Object.entries(targets).flatMap(([app, list]) =>
    list.length > 0 ? [] : [`${app} has no target`],
  );
  if (keys.length === 0) problems.push('there is no public key');
  if (webOrigins.length === 0)
    problems.push('there is no web origin; Kong would take an empty list for every origin');
  if (problems.length > 0) throw new ConfigError('the values', problems);

  const rates = { ...defaultLimits, ...limits };
  // Kong refuses a longer window whose limit is below that of a shorter one.
  rates.userPerMinute = Math.max(rates.userPerMinute, limits?.userPerMinute ? 0 : rates.userPerSecond * 30);
  rates.addressPerHour = Math.max(
    rates.addressPerHour,
    limits?.addressPerHour ? 0 : rates.addressPerMinute * 15,
  );
  return {
    JWT_CREDENTIALS: keys.map(credential),
    ...Object.fromEntries(
      Object.entries(targets).map(([app, list]) => [
        `${app.toUpperCase()}_TARGETS`,
        list.map((target) => ({ target })),
      ]),
    ),
    REDIS_HOST: redis.host,
    REDIS_PORT: redis.port,
    REDIS_USERNAME: redis.username || null,
    REDIS_PASSWORD: redis.password || null,
    REDIS_DATABASE: redis.database ?? 0,
    REDIS_SSL: redis.tls ?? false,
    REDIS_SERVER_NAME: redis.tls ? redis.host : null,
    ROUTE_PROTOCOLS: httpsOnly ? ['https'] : ['http', 'https'],
    HSTS_SECONDS: hstsSeconds ?? 0,
    WEB_ORIGINS: webOrigins,
    RL_USER_SECOND: rates.userPerSecond,
    RL_USER_MINUTE: rates.userPerMinute,
    RL_ADDRESS_MINUTE: rates.addressPerMinute,
    RL_ADDRESS_HOUR: rates.addressPerHour,
    RL_REFRESH_MINUTE: rates.refreshPerMinute,
    RL_PUBLIC_MINUTE: rates.publicPerMinute,
    RL_SOCKET_MINUTE: rates.socketsPerMinute,
  };
}

/** Kong's credential of one key: `rsa_public_key` is the field for every kind of key. */
function credential(jwk: PublicJwk): { key: string; algorithm: string; rsa_public_key: string } {
  if (!jwk.kid) throw new ConfigError('the keys', ['a key has no kid']);
  if (jwk.kty !== 'EC' || jwk.crv !== 'P-256')
    throw new ConfigError('the keys', [`${jwk.kid} is no ES256 key (kty EC, crv P-256)`]);
  const { kty, crv, x, y } = jwk;
  try {
    const key = createPublicKey({ key: { kty, crv, x, y }, format: 'jwk' });
    return {
      key: jwk.kid,
      algorithm: 'ES256',
      rsa_public_key: key.export({ type: 'spki', format: 'pem' }).toString(),
    };
  } catch (error) {
    throw new ConfigError('the keys', [`${jwk.kid} cannot be read: ${(error as Error).message}`]);
  }
}
