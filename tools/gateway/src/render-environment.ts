import { isIP } from 'node:net';
import { ConfigError } from './config/errors';
import { defaultLimits, type PublicJwk, type RateLimits, type RenderValues } from './render-config';

type Environment = Record<string, string | undefined>;

const defaultPorts = {
  auth: 3001,
  messaging: 3002,
  history: 3003,
  presence: 3004,
  notification: 3005,
  realtime: 3006,
};

const limitNames: Record<keyof RateLimits, string> = {
  userPerSecond: 'RL_USER_SECOND',
  userPerMinute: 'RL_USER_MINUTE',
  addressPerMinute: 'RL_ADDRESS_MINUTE',
  addressPerHour: 'RL_ADDRESS_HOUR',
  refreshPerMinute: 'RL_REFRESH_MINUTE',
  publicPerMinute: 'RL_PUBLIC_MINUTE',
  socketsPerMinute: 'RL_SOCKET_MINUTE',
};

/** The values of the render command from an environment such as Docker Compose gives. Throws `ConfigError`. */
export function valuesFromEnvironment(environment: Environment, keys: PublicJwk[]): RenderValues {
  const problems: string[] = [];
  const targets = Object.fromEntries(
    Object.entries(defaultPorts).map(([app, port]) => {
      const list = splitList(environment[`${app.toUpperCase()}_TARGETS`] ?? `127.0.0.1:${port}`);
      const wrong = list.filter((target) => !/^[^\s:/]+:\d{1,5}$/.test(target));
      problems.push(...wrong.map((target) => `${app.toUpperCase()}_TARGETS: ${target} is not host:port`));
      return [app, list];
    }),
  ) as RenderValues['targets'];

  const limits: Partial<RateLimits> = {};
  for (const key of Object.keys(defaultLimits) as (keyof RateLimits)[]) {
    const text = environment[limitNames[key]];
    if (text === undefined) continue;
    const value = Number(text);
    if (Number.isInteger(value) && value > 0) limits[key] = value;
    else problems.push(`${limitNames[key]}: ${text} is no whole number above 0`);
  }
  const hstsText = environment.HSTS_SECONDS ?? '0';
  if (!/^\d{1,9}$/.test(hstsText)) problems.push(`HSTS_SECONDS: ${hstsText} is no number of seconds`);
  const httpsOnly = environment.HTTPS_ONLY ?? 'false';
  if (httpsOnly !== 'true' && httpsOnly !== 'false')
    problems.push(`HTTPS_ONLY: ${httpsOnly} is neither true nor false`);
  const redis = readRedis(environment.REDIS_URL ?? 'redis://127.0.0.1:6379', problems);
  if (problems.length > 0) throw new ConfigError('the environment', problems);
  return {
    keys,
    targets,
    redis,
    limits,
    httpsOnly: httpsOnly === 'true',
    hstsSeconds: Number(hstsText),
    webOrigins: splitList(environment.WEB_ORIGINS ?? 'http://localhost:8000'),
  };
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
}

function readRedis(text: string, problems: string[]): RenderValues['redis'] {
  if (!URL.canParse(text) || !/^rediss?:$/.test(new URL(text).protocol)) {
    problems.push('REDIS_URL is no redis:// or rediss:// address');
    return { host: '', port: 0 };
  }
  const url = new URL(text);
  const tls = url.protocol === 'rediss:';
  // Kong compares names only, and with an address it would take any certificate of the authority.
  if (tls && isIP(url.hostname.replace(/^\[|\]$/g, '')))
    problems.push('REDIS_URL: a certificate is checked by name here; write a host name, not an address');
  return {
    host: url.hostname,
    port: Number(url.port || 6379),
    username: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: Number(url.pathname.slice(1) || 0),
    tls,
  };
}
