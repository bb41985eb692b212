import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OwnedProcess } from '../../process/owned-process';
import { type CertificatePaths, certificatePaths } from '../certificates';
import type { MongoServer } from '../server';
import { answersMongo, withMongo } from './probe';

export interface MongodPlan {
  /** The run directory; data goes to `<dir>/mongodb`. */
  dir: string;
  port: number;
  password: string;
  program: string;
  /** A folder of certificates: only encrypted connections of clients with a certificate are taken then. */
  certificates?: string;
}

const USER = 'parley';
const REPLICA_SET = 'parley';
const START_TIMEOUT_MS = 120_000;
const alreadyInitialized = 23;

/** Prepares a private MongoDB on 127.0.0.1, a replica set of one member that only its password opens. */
export function mongodServer(plan: MongodPlan): MongoServer {
  const home = join(plan.dir, 'mongodb');
  const data = join(home, 'data');
  const keyFile = join(home, 'key');
  mkdirSync(data, { recursive: true, mode: 0o700 });
  // Members of a replica set know each other by it; without one, authentication is off.
  writeFileSync(keyFile, Buffer.from(plan.password).toString('base64').replaceAll('=', ''), { mode: 0o600 });
  const { certificates } = plan;
  const ours = certificates === undefined ? undefined : certificatePaths(certificates, 'client');
  const address = `${ours ? 'localhost' : '127.0.0.1'}:${plan.port}`;
  const tls = ours ? '&tls=true' : '';
  const url = `mongodb://${USER}:${plan.password}@${address}/parley?authSource=admin&replicaSet=${REPLICA_SET}${tls}`;
  const owned = new OwnedProcess({
    name: 'mongodb',
    dir: plan.dir,
    command: plan.program,
    args: [
      ...['--dbpath', data, '--bind_ip', '127.0.0.1', '--port', String(plan.port)],
      ...['--replSet', REPLICA_SET, '--keyFile', keyFile, '--nounixsocket', '--wiredTigerCacheSizeGB', '0.5'],
      ...(certificates === undefined ? [] : tlsArguments(certificates, home)),
    ],
    cwd: home,
    logFile: join(plan.dir, 'logs', 'mongodb.log'),
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 60_000,
  });
  return {
    name: 'mongodb',
    kind: 'mongodb',
    url,
    managed: true,
    get pid() {
      return owned.pid;
    },
    async start() {
      owned.start();
      const own = `mongodb://${address}/?directConnection=true${tls}`;
      await owned.waitUntil(() => initiate(own, address, ours), START_TIMEOUT_MS);
      await owned.waitUntil(
        async () => (await answersMongo(url, ours)) || (await createUser(own, plan.password, ours)),
        START_TIMEOUT_MS,
      );
    },
    stop: () => owned.stop(),
    kill: () => owned.kill(),
    freeze: () => owned.freeze(),
    thaw: () => owned.thaw(),
  };
}

/** mongod takes certificate and key from one file. */
function tlsArguments(certificates: string, home: string): string[] {
  const { ca, cert, key } = certificatePaths(certificates, 'mongodb');
  const both = join(home, 'mongodb.pem');
  writeFileSync(both, `${readFileSync(cert, 'utf8')}${readFileSync(key, 'utf8')}`, { mode: 0o600 });
  return ['--tlsMode', 'requireTLS', '--tlsCertificateKeyFile', both, '--tlsCAFile', ca];
}

/** Makes it a replica set, which needs no user while there is none. False while it does not answer yet. */
async function initiate(url: string, host: string, ours?: CertificatePaths): Promise<boolean> {
  const config = { _id: REPLICA_SET, members: [{ _id: 0, host }] };
  try {
    await withMongo(url, (client) => client.db('admin').command({ replSetInitiate: config }), { ours });
    return true;
  } catch (error) {
    const { code, codeName } = error as { code?: number; codeName?: string };
    // Refused for want of a login means that there is a user, and so a set, already.
    return code === alreadyInitialized || codeName === 'Unauthorized';
  }
}

/** Makes the one user, which anybody on this machine may do until there is one. True once it is there. */
async function createUser(url: string, password: string, ours?: CertificatePaths): Promise<boolean> {
  const command = { createUser: USER, pwd: password, roles: ['root'] };
  try {
    await withMongo(url, (client) => client.db('admin').command(command), { ours });
    return true;
  } catch {
    return false;
  }
}
