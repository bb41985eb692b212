import { baseConfig, brokerConfig, databaseConfig, loadConfig, messageStoreConfig, redisConfig } from '..';

const schema = baseConfig.extend({
  ...databaseConfig.shape,
  ...redisConfig.shape,
  ...brokerConfig.shape,
  ...messageStoreConfig.shape,
});
const open = {
  PORT: '0',
  DATABASE_URL: 'postgres://app:secret@db/parley',
  REDIS_URL: 'redis://cache',
  AMQP_URL: 'amqp://queue',
};
const encrypted = {
  ...open,
  DATABASE_URL: 'postgres://app:secret@db/parley?sslmode=verify-full',
  REDIS_URL: 'rediss://cache',
  AMQP_URL: 'amqps://queue',
};
const load = (environment: Record<string, string>) => () => loadConfig(schema, environment);

test('encryption is asked for in each address, as its users know it', () => {
  expect(load({ ...encrypted, TLS_REQUIRED: 'true' })()).toMatchObject({ REDIS_URL: 'rediss://cache' });
  expect(load({ ...open, TLS_REQUIRED: 'false' })()).toMatchObject({ REDIS_URL: 'redis://cache' });
  expect(load({ ...open, DATABASE_URL: `${open.DATABASE_URL}?sslmode=disable` })()).toBeTruthy();
});

const weakening = (
  'w=1 W=0 w=2 j=false journal=false Journal=false fsync=false wtimeout=0 wtimeoutMS=1 readConcernLevel=local ' +
  'readconcernlevel=available readPreference=secondary readPreferenceTags=dc:near maxStalenessSeconds=90'
).split(' ');

test.each([
  ['DATABASE_URL', 'postgres://db/parley?sslmode=require', 'sslmode=require is not supported'],
  ['DATABASE_URL', 'postgres://db/parley?sslmode=no-verify', 'verify-full'],
  ['DATABASE_URL', 'postgres://db/parley?sslmode=prefer', 'sslmode=prefer'],
  ['DATABASE_URL', 'postgres://db/parley?ssl=true', 'ssl=true is not supported'],
  ['DATABASE_URL', 'postgres://db/parley?sslmode=verify-full&uselibpqcompat=true', 'uselibpqcompat=true'],
  ['DATABASE_URL', 'postgres://db/parley?sslmode=verify-full&sslrootcert=/ca', 'DATABASE_CA_FILE'],
  ['DATABASE_URL', 'postgres://a,b/parley?sslmode=require', 'sslmode=require'],
  ['REDIS_URL', 'redis://cache?tls=true', 'which is rediss://'],
  ['REDIS_URL', 'rediss://cache?rejectUnauthorized=false', 'rejectUnauthorized=false is not supported'],
  ['AMQP_URL', 'amqps://queue?verify=verify_none', 'verify=verify_none is not supported'],
  ['AMQP_URL', 'amqps://queue?cacertfile=/ca.pem', 'AMQP_CA_FILE'],
  ['MONGODB_URL', 'mongodb://a,b/parley?tls=true&tlsInsecure=true', 'tlsInsecure=true is not supported'],
  ['MONGODB_URL', 'mongodb://a/parley?ssl=true', 'which is tls=true'],
  ['MONGODB_URL', 'mongodb://a/parley?tls=true&tlsCAFile=/ca.pem', 'MONGODB_CA_FILE'],
  ...weakening.map((word) => [
    'MONGODB_URL',
    `mongodb://a,b/parley?replicaSet=one&${word}`,
    `${word} is not supported`,
  ]),
])('%s %s is refused by name', (name, url, problem) => {
  expect(load({ ...open, [name]: url })).toThrow(new RegExp(`${name}: .*${problem}`));
});

test('what an address says of writes and reads may be what they are anyway', () => {
  const words = 'retryWrites=true&w=majority&journal=true&readConcernLevel=majority&readPreference=primary';
  const MONGODB_URL = `mongodb://a,b/parley?${words}`;
  expect(load({ ...open, MONGODB_URL })()).toMatchObject({ MONGODB_URL });
});

test('what contradicts itself is refused, never half done', () => {
  const problem = (more: Record<string, string>, message: string) =>
    expect(load({ ...open, ...more })).toThrow(message);
  problem({ TLS_REQUIRED: 'true' }, 'REDIS_URL: asks for no encryption, which TLS_REQUIRED demands');
  problem({ REDIS_CA_FILE: '/ca.pem' }, 'REDIS_CA_FILE: is given, but REDIS_URL asks for no encryption');
  problem({ TLS_CERT_FILE: '/me.pem' }, 'TLS_KEY_FILE: is required beside TLS_CERT_FILE');
  problem({ NODE_TLS_REJECT_UNAUTHORIZED: '0' }, 'NODE_TLS_REJECT_UNAUTHORIZED: ');
  problem({ PGSSLMODE: 'no-verify' }, 'PGSSLMODE: is not read');
});
