import { generateKeyPairSync } from 'node:crypto';
import { stringify } from 'yaml';
import { ConfigError } from './errors';
import { parseConfig } from './load';

const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();

const good = () => ({
  _format_version: '3.0',
  consumers: [{ username: 'u', jwt_secrets: [{ key: 'k', algorithm: 'ES256', rsa_public_key: pem }] }],
  upstreams: [{ name: 'a.upstream', targets: [{ target: 'localhost:1' }] }],
  services: [{ name: 'a', host: 'a.upstream', routes: [{ name: 'r', paths: ['/a'] }] as object[] }],
  plugins: [{ name: 'cors', config: { origins: ['http://a.test'] } }] as object[],
});

function problemsOf(config: object | string): string {
  try {
    parseConfig(typeof config === 'string' ? config : stringify(config), 'the file');
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  return '';
}

describe('a configuration', () => {
  it('is taken with defaults as in Kong', () => {
    const { services, plugins } = parseConfig(stringify(good()), 'the file');
    expect(services[0]).toMatchObject({ port: 80, retries: 5, read_timeout: 60_000 });
    expect(services[0]!.routes[0]).toMatchObject({ strip_path: true, preserve_host: false });
    expect(plugins[0]).toMatchObject({ config: { credentials: false } });
  });

  it.each<[string, (config: ReturnType<typeof good>) => object | string, string]>([
    [
      'an unknown plugin',
      (c) => ({ ...c, plugins: [{ name: 'acl', config: {} }] }),
      'plugins[0].name: the stand-in does not know this plugin',
    ],
    [
      'an unknown field of a plugin',
      (c) => ({ ...c, plugins: [{ name: 'cors', config: { origins: ['*'], private_network: true } }] }),
      'plugins[0].config.private_network: the stand-in does not know this field',
    ],
    [
      'an unknown field beside a plugin',
      (c) => ({ ...c, plugins: [{ name: 'prometheus', config: {}, enabled: true }] }),
      'plugins[0].enabled: the stand-in does not know this field',
    ],
    [
      'an unknown field of a route',
      (c) => ({ ...c, routes: [{ name: 'x', paths: ['/x'], hosts: ['a.test'] }] }),
      'routes[0].hosts: the stand-in does not know this field',
    ],
    [
      'an unknown entity',
      (c) => ({ ...c, certificates: [] }),
      'certificates: the stand-in does not know this field',
    ],
    [
      'an unknown value',
      (c) => ({ ...c, upstreams: [{ name: 'x', algorithm: 'latency' }] }),
      'upstreams[0].algorithm',
    ],
    [
      'a longer window that is narrower',
      (c) => ({
        ...c,
        plugins: [{ name: 'rate-limiting', config: { second: 5, minute: 4, limit_by: 'ip' } }],
      }),
      'minute: cannot be lower than the limit for second',
    ],
    [
      'redis without an address',
      (c) => ({
        ...c,
        plugins: [{ name: 'rate-limiting', config: { second: 5, limit_by: 'ip', policy: 'redis' } }],
      }),
      'redis: is needed',
    ],
    [
      'a function with other text',
      (c) => ({ ...c, plugins: [{ name: 'pre-function', config: { access: ['return 1'] } }] }),
      'pre-function.access: the stand-in runs no Lua and does not know this text (sha256 ',
    ],
    [
      'a pattern that Kong cannot run',
      (c) => ({ ...c, routes: [{ name: 'x', paths: ['~/(?!a)'] }] }),
      'look-around',
    ],
    [
      'a broken pattern',
      (c) => ({ ...c, routes: [{ name: 'x', paths: ['~/('] }] }),
      'is no valid regular expression',
    ],
    ['a name twice', (c) => ({ ...c, routes: [{ name: 'r', paths: ['/x'] }] }), 'two routes are named r'],
    [
      'a key that is none',
      (c) => ({
        ...c,
        consumers: [{ username: 'u', jwt_secrets: [{ key: 'k', algorithm: 'ES256', rsa_public_key: 'x' }] }],
      }),
      'jwt_secrets k: rsa_public_key is no PEM public key',
    ],
    [
      'a key id twice',
      (c) => ({ ...c, consumers: [...c.consumers, ...c.consumers] }),
      'two jwt_secrets have key k',
    ],
    [
      'a placeholder that was left',
      (c) => ({ ...c, services: [{ name: 'a', host: '${A_HOST}' }] }),
      '${A_HOST} is not filled in',
    ],
    ['no YAML', () => 'a: [', 'Flow sequence'],
    ['nothing', () => '', 'the document'],
  ])('is refused for %s, which is named', (_, change, expected) => {
    expect(problemsOf(change(good()))).toContain(expected);
  });

  it('is refused with every reason at once', () => {
    const message = problemsOf({ ...good(), plugins: [{ name: 'acl', config: {} }], tags: [] });
    expect(message).toContain('plugins[0].name');
    expect(message).toContain('tags');
  });
});
