import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { connect } from 'amqplib';
import Redis from 'ioredis';
import { Client } from 'pg';
import { type AppName, APPS } from '../apps/catalogue';
import { type Stack, startStack } from '../apps/stack';
import { temporaryDirectory } from '../fixtures/temporary';
import { keyEnvironment } from '../keys';
import { OwnedProcess } from '../process/owned-process';
import { certificatePaths, makeCertificates, tlsEnvironment, tlsOptions } from '../servers/certificates';
import { requireBinaries } from '../servers/install';
import { loadState } from '../system/state';

/** The whole system on this machine, every connection to a server and to the gateway encrypted. */
const WORKSPACE = resolve(__dirname, '../../../..');
const run = promisify(execFile);
const { dir, remove } = temporaryDirectory();
const certificates = join(dir, 'certificates');
const stranger = join(dir, 'stranger');
/** Starts take seconds on a quiet machine, minutes on one that is busy with other things. */
jest.setTimeout(900_000);

let stack: Stack;
beforeAll(async () => {
  await makeCertificates(WORKSPACE, stranger);
  stack = await startStack({ workspace: WORKSPACE, dir, certificates, servers: { durable: false } });
});
afterAll(async () => {
  await stack?.stop();
  remove();
});

const using: Record<string, readonly AppName[]> = {
  database: ['auth', 'messaging', 'history', 'notification'],
  redis: ['auth', 'presence', 'realtime'],
  broker: APPS,
};

/**
 * Sends a message through the gateway, in a process that trusts the authority as it is now. The gateway looks at the
 * apps every few seconds, and has none to give until it has seen them well again.
 */
async function prove(): Promise<void> {
  for (;;) {
    try {
      return await sendOne();
    } catch (error) {
      if (!String(error).includes('failure to get a peer')) throw error;
      await delay(500);
    }
  }
}

async function sendOne(): Promise<void> {
  const demo = join(WORKSPACE, 'tools/local/dist/start/demo.js');
  const program = `const { demoLogins, proveDelivery } = require(${JSON.stringify(demo)});
    proveDelivery(process.argv[1], demoLogins('correct horse battery')).then(() => process.exit(0));`;
  const { ca } = certificatePaths(certificates, 'gateway');
  const env = { PATH: process.env['PATH'], NODE_EXTRA_CA_CERTS: ca };
  await run(process.execPath, ['-e', program, stack.gateway.url], { cwd: WORKSPACE, env });
}

interface Report {
  checks: { name: string; status: string; error?: string }[];
}

/** What an app says of one of its servers: `up`, or the code of its error. */
async function stateOf(app: AppName, server: string): Promise<string | undefined> {
  const { url = '' } = stack.apps.of(app)[0] ?? {};
  const response = await fetch(`${url}/health/ready`);
  const check = ((await response.json()) as Report).checks.find(({ name }) => name === server);
  return check?.status === 'down' ? check.error : check?.status;
}

async function untilAll(holds: (app: AppName, server: string) => Promise<boolean> | boolean): Promise<void> {
  for (const [server, apps] of Object.entries(using))
    for (const app of apps) while (!(await holds(app, server)));
}

/** Ends every connection to the broker and lets it read its files again, as an operator does without a restart. */
async function renewBroker(): Promise<void> {
  const { rabbitmqServer } = await requireBinaries(() => undefined);
  const close = '[rabbit_networking:close_connection(P, "renewed") || P <- rabbit_networking:connections()]';
  await run(join(dirname(rabbitmqServer), 'rabbitmqctl'), ['eval', `ssl:clear_pem_cache(), ${close}.`], {
    env: {
      PATH: process.env['PATH'],
      HOME: join(dir, 'rabbitmq'),
      RABBITMQ_NODENAME: 'parley@localhost',
      ERL_EPMD_PORT: String(loadState(dir).ports['epmd']),
      RABBITMQ_CONF_ENV_FILE: '/dev/null',
    },
  });
}

/** Lets the servers show new certificates. Bad ones nobody accepts, so those servers never count as started. */
async function renewServers(are: 'good' | 'bad'): Promise<void> {
  const { postgres, redis } = stack.servers;
  await Promise.all([postgres.kill(), redis.stop()]);
  const starting = Promise.all([postgres.start(), redis.start()]);
  if (are === 'good') await starting;
  else starting.catch(() => undefined);
  await renewBroker();
}

test('a message goes through, and no server takes an open connection or a client without a certificate', async () => {
  await prove();
  const { postgres, redis, rabbitmq } = stack.servers;
  const database = (ssl: object | false) => {
    const url = new URL(postgres.url);
    url.searchParams.delete('sslmode');
    return new Client({ connectionString: url.href, ssl }).connect();
  };
  const anonymous = tlsOptions({ ca: certificatePaths(certificates, 'client').ca });
  await expect(database(false)).rejects.toThrow('no encryption');
  await expect(database(anonymous)).rejects.toThrow('certificate');
  await expect(connect(rabbitmq.url.replace('amqps:', 'amqp:'), { timeout: 5_000 })).rejects.toThrow();
  await expect(connect(rabbitmq.url, { ...anonymous, timeout: 5_000 })).rejects.toThrow();
  const plain = new Redis(redis.url.replace('rediss:', 'redis:'), {
    lazyConnect: true,
    retryStrategy: () => null,
  });
  plain.on('error', () => undefined);
  await expect(plain.connect()).rejects.toThrow();
  plain.disconnect();
  await expect(fetch(stack.gateway.url.replace('https:', 'http:'))).rejects.toThrow();
});

test('an app that trusts another authority connects to nothing, and says why', async () => {
  const files = { ...certificatePaths(stranger, 'client') };
  const apps = APPS.map((app) => {
    const child = new OwnedProcess({
      name: `${app}-stranger`,
      dir,
      command: process.execPath,
      args: [join(WORKSPACE, 'apps', app, 'dist/main.js')],
      env: {
        ...stack.servers.environment,
        ...keyEnvironment(stack.keys, app),
        ...tlsEnvironment(files),
        PORT: '0',
      },
      cwd: WORKSPACE,
      logFile: join(dir, 'logs', `${app}-stranger.log`),
      stopSignal: 'SIGKILL',
      stopTimeoutMs: 10_000,
    });
    child.start();
    return { app, child };
  });
  for (const { app, child } of apps) {
    const context = using['database']!.includes(app) ? 'Database' : 'Broker';
    await child.waitUntil(
      () => Promise.resolve(said(child.logFile, context, 'an authority that is not trusted')),
      300_000,
    );
    await child.kill();
  }
});

function said(logFile: string, context: string, text: string): boolean {
  return readFileSync(logFile, 'utf8')
    .split('\n')
    .some((line) => line.includes(`"context":"${context}"`) && line.includes(text));
}

test('another authority takes over under the running system', async () => {
  const pids = stack.apps.instances.map(({ pid }) => pid);
  await makeCertificates(WORKSPACE, certificates, ['next']);
  // Whoever connects already trusts both before the servers change.
  const both = 'The certificates were reloaded.';
  for (const { logFile } of stack.apps.instances)
    while (!said(logFile, 'Certificates', both)) await delay(100);
  await makeCertificates(WORKSPACE, certificates, ['renew']);
  await renewServers('good');
  await makeCertificates(WORKSPACE, certificates, ['drop']);
  await untilAll(async (app, server) => (await stateOf(app, server)) === 'up');
  await prove();
  expect(stack.apps.instances.map(({ pid }) => pid)).toEqual(pids);
});

test.each([
  ['for another host', ['--hosts', 'elsewhere.example'], 'ERR_TLS_CERT_ALTNAME_INVALID', 'other host names'],
  ['expired', ['--days=-1'], 'CERT_HAS_EXPIRED', 'has expired'],
])(
  'certificates %s are refused by every app, with a reason, until good ones come',
  async (_, args, code, why) => {
    await makeCertificates(WORKSPACE, certificates, ['renew', '--names', 'postgres,redis,rabbitmq', ...args]);
    await renewServers('bad');
    const contexts: Record<string, string> = { database: 'Database', redis: 'Redis', broker: 'Broker' };
    await untilAll(async (app, server) => {
      const { logFile = '' } = stack.apps.of(app)[0] ?? {};
      const state = await stateOf(app, server);
      // Only the database's own error has a code of its own here; the others say that they are away.
      const isNamed = server === 'database' ? state === code : state !== 'up';
      return isNamed && said(logFile, contexts[server]!, why);
    });

    await makeCertificates(WORKSPACE, certificates, ['renew', '--names', 'postgres,redis,rabbitmq']);
    await renewServers('good');
    await untilAll(async (app, server) => (await stateOf(app, server)) === 'up');
    await prove();
  },
);
