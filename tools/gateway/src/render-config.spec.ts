import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { parseConfig } from './config/load';
import { fillPlaceholders, renderKongConfig, type RenderValues } from './render-config';
import { valuesFromEnvironment } from './render-environment';

const template = readFileSync(resolve(__dirname, '../../../docker/kong/kong.yml'), 'utf8');
const key = (kid: string) => ({
  ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }),
  kid,
});
const keys = [key('a'), key('b')];
const values = (over: Partial<RenderValues> = {}): RenderValues => ({
  ...valuesFromEnvironment({}, keys),
  ...over,
});
const render = (over?: Partial<RenderValues>) =>
  parseConfig(renderKongConfig(template, values(over)), 'the result');

describe('rendering', () => {
  it('fills docker/kong/kong.yml into what the stand-in takes', () => {
    const { consumers, services, upstreams, plugins } = render();
    expect(consumers[0]!.jwt_secrets.map((credential) => credential.key)).toEqual(['a', 'b']);
    expect(services.map(({ name }) => `${name}.upstream`)).toEqual(upstreams.map(({ name }) => name));
    expect(plugins.find(({ name }) => name === 'cors')?.config).toMatchObject({
      origins: ['http://localhost:8000'],
    });
  });

  it('gives every app a health-checked upstream with all of its targets', () => {
    const { upstreams } = render({ targets: { ...values().targets, realtime: ['r1:1', 'r2:2'] } });
    for (const { healthchecks, targets } of upstreams) {
      expect(targets.length).toBeGreaterThan(0);
      expect(healthchecks.active).toMatchObject({
        http_path: '/health/ready',
        unhealthy: { tcp_failures: 1 },
      });
      expect(healthchecks.active.healthy.interval).toBeGreaterThan(0);
      expect(healthchecks.passive.unhealthy).toMatchObject({ tcp_failures: 1, http_failures: 0 });
    }
    expect(upstreams.at(-1)!.targets.map(({ target }) => target)).toEqual(['r1:1', 'r2:2']);
  });

  it('keeps passwords whole, whatever is in them', () => {
    for (const password of ['yes', '12', "a: 'b' # c", '${X}', '"\\', 'null']) {
      const text = renderKongConfig(
        'password: ${REDIS_PASSWORD}\n',
        values({ redis: { host: 'r', port: 1, password } }),
      );
      expect(text.startsWith('password: ')).toBe(true);
      expect((parseYaml(text) as { password: unknown }).password).toBe(password);
    }
  });

  it('keeps a minute at least as wide as a second', () => {
    const limits = render({ limits: { userPerSecond: 100_000, addressPerMinute: 50_000 } });
    expect(JSON.stringify(limits)).toContain('100000');
  });

  it.each<[string, () => unknown, string]>([
    ['a placeholder without value', () => fillPlaceholders('a: ${NOT_GIVEN}', {}), '${NOT_GIVEN}'],
    ['no key', () => render({ keys: [] }), 'no public key'],
    ['a key without kid', () => render({ keys: [{ ...keys[0], kid: undefined }] }), 'no kid'],
    ['a key of another kind', () => render({ keys: [{ kid: 'x', kty: 'RSA' }] }), 'x is no ES256 key'],
    [
      'a key that is none',
      () => render({ keys: [{ kid: 'x', kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' }] }),
      'x cannot be read',
    ],
    [
      'an app without target',
      () => render({ targets: { ...values().targets, auth: [] } }),
      'auth has no target',
    ],
    ['no origin', () => render({ webOrigins: [] }), 'no web origin'],
    [
      'a target without port',
      () => valuesFromEnvironment({ AUTH_TARGETS: 'auth' }, keys),
      'AUTH_TARGETS: auth is not host:port',
    ],
    ['a limit that is none', () => valuesFromEnvironment({ RL_USER_SECOND: '0' }, keys), 'RL_USER_SECOND: 0'],
    [
      'a Redis address that is none',
      () => valuesFromEnvironment({ REDIS_URL: 'localhost' }, keys),
      'REDIS_URL',
    ],
  ])('refuses %s, naming it', (_, run, message) => {
    expect(run).toThrow(message);
  });

  it('reads an environment', () => {
    const read = valuesFromEnvironment(
      {
        REDIS_URL: 'rediss://me:p%40ss@cache:6380/3',
        AUTH_TARGETS: 'a:1, b:2',
        WEB_ORIGINS: 'http://x',
        RL_SOCKET_MINUTE: '7',
      },
      keys,
    );
    expect(read).toMatchObject({
      redis: { host: 'cache', port: 6380, username: 'me', password: 'p@ss', database: 3, tls: true },
      targets: { auth: ['a:1', 'b:2'], history: ['127.0.0.1:3003'] },
      webOrigins: ['http://x'],
      limits: { socketsPerMinute: 7 },
    });
  });

  it('never writes a private part', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = { ...privateKey.export({ format: 'jwk' }), kid: 'p' };
    expect(renderKongConfig(template, values({ keys: [jwk] }))).not.toContain(jwk.d);
  });
});
