import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse, stringify } from 'yaml';
import { renderKongConfig, type RenderValues } from '../render-config';
import { publicPart } from './keys';
import type { SuiteState } from './world';

const template = resolve(__dirname, '../../../../docker/kong/kong.yml');

/** This text stands where a route is to show a plugin of Kong alone, without the functions of kong.yml before it. */
const noFunction = '-- The plugins of this route see the request as it came.\n';

export const realm = 'parley';
export const origins = ['http://one.test', 'http://two.test'];
export const userLimit = 4;

/** The configuration that the 36 points are asked of. `kids`: which of the state's keys are in force. */
export function pointsConfig(state: SuiteState, kids = state.keys.map(({ kid }) => kid)): string {
  const product = productConfig(state, kids);
  const functions = product.plugins.filter(({ name }) => name === 'pre-function' || name === 'post-function');
  const { upstreamHost: host, echoPorts, deadPort } = state;
  const url = (path = '') => `http://${host}:${echoPorts.main}${path}`;
  const redis = redisOf(state.redisUrl);
  const dead = { ...redis, host, port: deadPort, timeout: 500 };

  const jwtConfig = {
    key_claim_name: 'kid',
    claims_to_verify: ['exp', 'nbf'],
    maximum_expiration: 660,
    uri_param_names: [] as string[],
    run_on_preflight: false,
    realm,
  };
  const jwt = { name: 'jwt', config: jwtConfig };
  const ticketJwt = { name: 'jwt', config: { ...jwtConfig, uri_param_names: ['ticket'] } };
  const raw = { name: 'pre-function', config: { access: [noFunction] } };
  const limit = (over: object = {}) => ({
    name: 'rate-limiting',
    config: {
      hour: userLimit,
      limit_by: 'header',
      header_name: 'x-rl-key',
      policy: 'redis',
      fault_tolerant: true,
      redis,
      ...over,
    },
  });
  const route = (name: string, paths: string[], more: object = {}) => ({
    name,
    paths,
    strip_path: false,
    ...more,
  });
  const service = (name: string, path: string, routes: object[], more: object = {}) => ({
    name,
    url: url(path),
    retries: 0,
    routes,
    ...more,
  });
  const failing = { connect_timeout: 1000, read_timeout: 1000, write_timeout: 1000 };

  return stringify({
    _format_version: '3.0',
    _transform: true,
    consumers: product.consumers,
    upstreams: [
      upstream('partly.upstream', [`${host}:${deadPort}`, `${host}:${echoPorts.main}`]),
      upstream('wholly.upstream', [`${host}:${deadPort}`]),
    ],
    services: [
      service('open', '', [route('open', ['/open'])]),
      service('private', '', [route('private', ['/private'])], { plugins: [jwt] }),
      service('raw', '', [route('raw', ['/raw'], { plugins: [raw] })], { plugins: [ticketJwt] }),
      service('prefix', '/prefix', [route('prefix', ['/order'])]),
      service('longer', '/longer', [route('longer', ['/order/longer'])]),
      service('regex', '/regex', [route('regex', ['~/order/[0-9]+$'])]),
      service('method', '/method', [route('method', ['/order'], { methods: ['PUT'] })]),
      service('get-only', '', [route('get-only', ['/get-only'], { methods: ['GET'] })]),
      service('strip', '', [route('strip', ['/strip'], { strip_path: true, preserve_host: true })]),
      service('faults', '', [route('faults', ['/faults'])], failing),
      {
        name: 'refused',
        url: `http://${host}:${deadPort}`,
        retries: 0,
        routes: [route('refused', ['/refused'])],
      },
      {
        name: 'mute',
        url: `http://${host}:${deadPort}`,
        retries: 0,
        ...failing,
        routes: [route('mute', ['/mute'])],
      },
      service('limited', '', [route('limited-a', ['/limited/a']), route('limited-b', ['/limited/b'])], {
        plugins: [jwt, limit()],
      }),
      service('by-address', '', [route('by-address', ['/by-address'])], {
        plugins: [limit({ limit_by: 'ip' })],
      }),
      service('tolerant', '', [route('tolerant', ['/tolerant'])], { plugins: [jwt, limit({ redis: dead })] }),
      service('intolerant', '', [route('intolerant', ['/intolerant'])], {
        plugins: [jwt, limit({ redis: dead, fault_tolerant: false })],
      }),
      service('small', '', [route('small', ['/small'])], {
        plugins: [
          {
            name: 'request-size-limiting',
            config: { allowed_payload_size: 1, size_unit: 'kilobytes', require_content_length: false },
          },
        ],
      }),
      service('one-origin', '', [route('one-origin', ['/one-origin'])], { plugins: [cors([origins[0]!])] }),
      service('realtime', '', [route('realtime', ['/realtime'])], {
        read_timeout: 2000,
        plugins: [ticketJwt, limit()],
      }),
      {
        name: 'partly',
        host: 'partly.upstream',
        retries: 1,
        ...failing,
        routes: [route('partly', ['/partly'])],
      },
      {
        name: 'wholly',
        host: 'wholly.upstream',
        retries: 1,
        ...failing,
        routes: [route('wholly', ['/wholly'])],
      },
    ],
    plugins: [
      {
        name: 'correlation-id',
        config: { header_name: 'X-Request-Id', generator: 'uuid', echo_downstream: true },
      },
      cors(origins),
      ...functions,
    ],
  });
}

/** docker/kong/kong.yml itself, with an echo service in place of each app. */
export function contractConfig(state: SuiteState): string {
  return renderKongConfig(
    readFileSync(template, 'utf8'),
    renderValues(
      state,
      state.keys.map(({ kid }) => kid),
    ),
  );
}

interface Product {
  consumers: object[];
  plugins: { name: string; config: object }[];
}

function productConfig(state: SuiteState, kids: string[]): Product {
  return parse(renderKongConfig(readFileSync(template, 'utf8'), renderValues(state, kids))) as Product;
}

function renderValues(state: SuiteState, kids: string[]): RenderValues {
  const at = (name: string) => [`${state.upstreamHost}:${state.echoPorts[name] ?? state.echoPorts.main}`];
  const { host, port, username, password, database } = redisOf(state.redisUrl);
  return {
    keys: state.keys.filter(({ kid }) => kids.includes(kid)).map(publicPart),
    targets: {
      auth: at('auth'),
      messaging: at('messaging'),
      history: at('history'),
      presence: at('presence'),
      notification: at('notification'),
      realtime: at('realtime'),
    },
    redis: { host, port, username, password, database },
    webOrigins: origins,
    limits: { addressPerMinute: 1000, publicPerMinute: 1000 },
  };
}

function cors(allowed: string[]): { name: string; config: object } {
  return {
    name: 'cors',
    config: {
      origins: allowed,
      methods: ['GET', 'POST'],
      headers: ['Authorization'],
      exposed_headers: ['X-Request-Id'],
      max_age: 600,
    },
  };
}

function upstream(name: string, targets: string[]): object {
  const unhealthy = { tcp_failures: 1, http_failures: 0, timeouts: 0 };
  return {
    name,
    targets: targets.map((target) => ({ target })),
    healthchecks: {
      active: {
        http_path: '/health',
        healthy: { interval: 1, successes: 1 },
        unhealthy: { interval: 1, ...unhealthy },
      },
      passive: { healthy: { successes: 1 }, unhealthy },
    },
  };
}

function redisOf(text: string) {
  const url = new URL(text);
  return {
    host: url.hostname,
    port: Number(url.port || 6379),
    ...(url.username ? { username: decodeURIComponent(url.username) } : {}),
    ...(url.password ? { password: decodeURIComponent(url.password) } : {}),
    database: Number(url.pathname.slice(1) || 0),
    timeout: 2000,
  };
}
