import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import express from 'express';
import {
  ConfigError,
  baseConfig,
  chooseMessageStore,
  databaseConfig,
  loadConfig,
  messageStoreConfig,
  numberVariable,
} from '.';

const schema = baseConfig.extend(databaseConfig.shape).extend({ PORT: numberVariable(3001, 0, 65_535) });
const DATABASE_URL = 'postgres://app:secret@127.0.0.1/parley';

test('defaults fill in, and empty counts as absent', () => {
  const config = loadConfig(schema, { DATABASE_URL, LOG_LEVEL: '' });
  expect(config).toMatchObject({
    HOST: '127.0.0.1',
    PORT: 3001,
    LOG_LEVEL: 'info',
    DRAIN_TIMEOUT_MS: 15_000,
  });
  expect(config.INSTANCE_ID).toMatch(/^[0-9a-f-]{36}$/);
});

test('every offending variable is named, without its value', () => {
  const load = () => loadConfig(schema, { PORT: '70000', LOG_LEVEL: 'loud', DATABASE_URL: 'mysql://secret' });
  expect(load).toThrow(ConfigError);
  for (const name of ['PORT', 'LOG_LEVEL', 'DATABASE_URL']) expect(load).toThrow(new RegExp(`\n  ${name}: `));
  expect(load).not.toThrow(/secret/);
  expect(() => loadConfig(schema, {})).toThrow('DATABASE_URL: is required');
});

test.each(['nobody', '10.0.0.0/33', '10.0.0.0/8, gateway', '10.0.0.0/255.0.0', '1', 'true', 'loopback,'])(
  'TRUSTED_PROXIES is not %s',
  (TRUSTED_PROXIES) => {
    expect(() => loadConfig(schema, { DATABASE_URL, TRUSTED_PROXIES })).toThrow(
      /\n {2}TRUSTED_PROXIES: must be /,
    );
  },
);

test.each(['uniquelocal', '10.0.0.0/8, 100.64.0.0/255.192.0.0,fd00::/8', '::1,127.0.0.1'])(
  'TRUSTED_PROXIES may be %s, which Express takes',
  (TRUSTED_PROXIES) => {
    const { TRUSTED_PROXIES: trusted } = loadConfig(schema, { DATABASE_URL, TRUSTED_PROXIES });
    expect(() => express().set('trust proxy', trusted)).not.toThrow();
  },
);

test('the time to drain holds what is done in it', () => {
  const draining = schema.extend({ DRAIN_MS: numberVariable(5_000) });
  const problem = 'DRAIN_TIMEOUT_MS: must exceed DRAIN_GRACE_MS and DRAIN_MS together';
  const load = (environment: object) => () => loadConfig(draining, { DATABASE_URL, ...environment });
  expect(load({ DRAIN_MS: '15000' })).toThrow(problem);
  expect(load({ DRAIN_MS: '10000', DRAIN_GRACE_MS: '5000' })).toThrow(problem);
  expect(load({ DRAIN_MS: '10000', DRAIN_GRACE_MS: '4999' })).not.toThrow();
  expect(() => loadConfig(schema, { DATABASE_URL, DRAIN_GRACE_MS: '15000' })).toThrow(
    /must exceed DRAIN_GRACE_MS$/,
  );
});

test('the chosen message store needs its address', () => {
  const store = chooseMessageStore(
    messageStoreConfig.extend({ DATABASE_URL: databaseConfig.shape.DATABASE_URL.optional() }),
    { postgresql: ['DATABASE_URL'], mongodb: ['MONGODB_URL'] },
  );
  expect(loadConfig(store, { DATABASE_URL })).toMatchObject({ MESSAGE_STORE: 'postgresql' });
  expect(() => loadConfig(store, {})).toThrow('DATABASE_URL: is required');
  const MESSAGE_STORE = 'mongodb';
  expect(() => loadConfig(store, { DATABASE_URL, MESSAGE_STORE })).toThrow('MONGODB_URL: is required');
  for (const [MONGODB_URL, problem] of [
    ['localhost', 'must be a mongodb:// address'],
    ['mongodb://secret@localhost', 'must name a database'],
    ['mongodb://localhost/?tls=true', 'must name a database'],
    ['mongodb://localhost/parley?tlsInsecure=true', 'tlsInsecure=true is not supported'],
  ] as const)
    expect(() => loadConfig(store, { MESSAGE_STORE, MONGODB_URL })).toThrow(`MONGODB_URL: ${problem}`);
  const MONGODB_URL = 'mongodb://app:secret@one,two:27017/parley?replicaSet=parley';
  expect(loadConfig(store, { MESSAGE_STORE, MONGODB_URL })).toMatchObject({ MESSAGE_STORE, MONGODB_URL });
});

describe('secrets from files', () => {
  const directory = mkdtempSync(join(tmpdir(), 'parley-config-'));
  const file = join(directory, 'url');
  beforeAll(() => writeFileSync(file, `${DATABASE_URL}\n`));
  afterAll(() => rmSync(directory, { recursive: true }));

  test('are read without their line end', () => {
    expect(loadConfig(schema, { DATABASE_URL_FILE: file }).DATABASE_URL).toBe(DATABASE_URL);
  });
  test('must not contradict the variable', () => {
    expect(() => loadConfig(schema, { DATABASE_URL, DATABASE_URL_FILE: file })).toThrow('is given twice');
  });
  test('overrule LOG_LEVEL, which holds while there is none', () => {
    const levels = join(directory, 'level');
    const environment = { DATABASE_URL, LOG_LEVEL: 'warn', LOG_LEVEL_FILE: levels };
    expect(loadConfig(schema, environment).LOG_LEVEL).toBe('warn');
    writeFileSync(levels, 'info,Broker=debug\n');
    expect(loadConfig(schema, environment).LOG_LEVEL).toBe('info,Broker=debug');
    expect(() => loadConfig(schema, { ...environment, LOG_LEVEL_FILE: directory })).toThrow(
      /LOG_LEVEL_FILE: .+ cannot be read \(EISDIR\)/,
    );
    const alone = { DATABASE_URL, LOG_LEVEL_FILE: join(directory, 'none') };
    expect(() => loadConfig(schema, alone)).toThrow(/LOG_LEVEL_FILE: .+ cannot be read \(ENOENT\)/);
  });
  test('must exist', () => {
    expect(() => loadConfig(schema, { DATABASE_URL_FILE: join(directory, 'none') })).toThrow(
      /DATABASE_URL_FILE: \S+none cannot be read \(ENOENT\)/,
    );
  });
});

test.each([
  ['OTEL_TRACES_SAMPLER_ARG', '1.5'],
  ['OTEL_TRACES_SAMPLER_ARG', 'all'],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318'],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'Bearer secret'],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'authorization=%E0%A4%A'],
  ['LOG_LEVEL', 'info,Broker'],
  ['LOG_LEVEL', 'info,Broker=loud'],
])('%s may not be %s', (name, value) => {
  const load = () => loadConfig(schema, { DATABASE_URL, [name]: value });
  expect(load).toThrow(`${name}: must be`);
  expect(load).not.toThrow(/secret/);
});

test('wrong files and wrong values are told together', () => {
  const load = () => loadConfig(schema, { DATABASE_URL_FILE: '/nowhere/none', LOG_LEVEL: 'loud' });
  expect(load).toThrow(/DATABASE_URL_FILE: /);
  expect(load).toThrow(/LOG_LEVEL: /);
  expect(load).not.toThrow(/required/);
});
