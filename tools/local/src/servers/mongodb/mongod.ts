import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { OwnedProcess } from '../../process/owned-process';
import { type CertificatePaths, certificatePaths } from '../certificates';
import type { Member, MongoServer } from '../server';
import { answersMongo, withMongo } from './probe';

export interface MongodPlan {
  /** The run directory; data goes to `<dir>/mongodb`, of further members to `<dir>/mongodb-2` and so on. */
  dir: string;
  /** Of each member of the replica set. */
  ports: number[];
  password: string;
  program: string;
  /** A folder of certificates: only encrypted connections of clients with a certificate are taken then. */
  certificates?: string;
}

const USER = 'parley';
const REPLICA_SET = 'parley';
const START_TIMEOUT_MS = 120_000;
const alreadyInitialized = 23;
/** `replSetGetStatus` says so of the primary and of those that have all that it has. */
const IN_SERVICE = new Set(['PRIMARY', 'SECONDARY']);

/** Prepares a private MongoDB on 127.0.0.1, a replica set of one member or more that only its password opens. */
export function mongodServer(plan: MongodPlan): MongoServer {
  const members = plan.ports.map((port, index) => new MongodMember(plan, port, index));
  const { certificates } = plan;
  const ours = certificates === undefined ? undefined : certificatePaths(certificates, 'client');
  const hosts = members.map(({ address }) => address);
  const tls = ours ? '&tls=true' : '';
  const url = `mongodb://${USER}:${plan.password}@${hosts.join(',')}/parley?authSource=admin&replicaSet=${REPLICA_SET}${tls}`;
  const own = hosts.map((host) => `mongodb://${host}/?directConnection=true${tls}`);
  const everyMember = (work: (member: MongodMember) => Promise<void>): Promise<unknown> =>
    Promise.all(members.map(work));

  async function isReady(): Promise<boolean> {
    if (await answersMongo(url, ours)) return areInService(url, ours);
    // Only a primary takes a user, and any member may have become it.
    for (const one of own) await createUser(one, plan.password, ours);
    return false;
  }

  return {
    name: 'mongodb',
    kind: 'mongodb',
    url,
    managed: true,
    members,
    get pid() {
      return members[0]?.pid;
    },
    async start() {
      const [first] = members;
      if (!first) throw new Error('A replica set has at least one member.');
      for (const member of members) member.launch();
      await everyMember((member) => member.untilListening(ours));
      await first.owned.waitUntil(() => initiate(own[0] ?? '', hosts, ours), START_TIMEOUT_MS);
      await first.owned.waitUntil(isReady, START_TIMEOUT_MS);
    },
    async stop() {
      await everyMember((member) => member.stop());
    },
    async kill() {
      await everyMember((member) => member.kill());
    },
    freeze: () => members.forEach((member) => member.freeze()),
    thaw: () => members.forEach((member) => member.thaw()),
    untilInService: async () => {
      await members[0]?.owned.waitUntil(isReady, START_TIMEOUT_MS);
    },
    async primary() {
      const address = await withMongo(
        url,
        async (client) => (await client.db().command({ hello: 1 })).primary,
        {
          ours,
        },
      );
      const found = members.find((member) => member.address === address);
      if (!found) throw new Error(`The primary, ${address}, is none of ours.`);
      return found;
    },
  };
}

class MongodMember implements Member {
  readonly name: string;
  readonly address: string;
  readonly owned: OwnedProcess;

  constructor(
    private readonly plan: MongodPlan,
    port: number,
    index: number,
  ) {
    this.name = index === 0 ? 'mongodb' : `mongodb-${index + 1}`;
    this.address = `${plan.certificates === undefined ? '127.0.0.1' : 'localhost'}:${port}`;
    const home = join(plan.dir, this.name);
    const data = join(home, 'data');
    const keyFile = join(home, 'key');
    mkdirSync(data, { recursive: true, mode: 0o700 });
    // Members of a replica set know each other by it; without one, authentication is off.
    writeFileSync(keyFile, Buffer.from(plan.password).toString('base64').replaceAll('=', ''), {
      mode: 0o600,
    });
    this.owned = new OwnedProcess({
      name: this.name,
      dir: plan.dir,
      command: plan.program,
      args: [
        ...['--dbpath', data, '--bind_ip', '127.0.0.1', '--port', String(port), '--nounixsocket'],
        ...['--replSet', REPLICA_SET, '--keyFile', keyFile, '--wiredTigerCacheSizeGB', '0.5'],
        ...(plan.certificates === undefined ? [] : tlsArguments(plan.certificates, home)),
      ],
      cwd: home,
      logFile: join(plan.dir, 'logs', `${this.name}.log`),
      stopSignal: 'SIGTERM',
      stopTimeoutMs: 60_000,
    });
  }

  get pid(): number | undefined {
    return this.owned.pid;
  }

  launch(): void {
    this.owned.start();
  }

  untilListening(ours: CertificatePaths | undefined): Promise<void> {
    const url = `mongodb://${this.address}/?directConnection=true${ours ? '&tls=true' : ''}`;
    const greet = async (): Promise<boolean> => {
      try {
        await withMongo(url, (client) => client.db().command({ hello: 1 }), { ours });
        return true;
      } catch {
        return false;
      }
    };
    return this.owned.waitUntil(greet, START_TIMEOUT_MS);
  }

  async start(): Promise<void> {
    this.launch();
    const { certificates } = this.plan;
    await this.untilListening(
      certificates === undefined ? undefined : certificatePaths(certificates, 'client'),
    );
  }

  stop(): Promise<void> {
    return this.owned.stop();
  }

  kill(): Promise<void> {
    return this.owned.kill();
  }

  freeze(): void {
    this.owned.freeze();
  }

  thaw(): void {
    this.owned.thaw();
  }
}

/** mongod takes certificate and key from one file. */
function tlsArguments(certificates: string, home: string): string[] {
  const { ca, cert, key } = certificatePaths(certificates, 'mongodb');
  const both = join(home, 'mongodb.pem');
  writeFileSync(both, `${readFileSync(cert, 'utf8')}${readFileSync(key, 'utf8')}`, { mode: 0o600 });
  return ['--tlsMode', 'requireTLS', '--tlsCertificateKeyFile', both, '--tlsCAFile', ca];
}

/** Makes them a replica set, which needs no user while there is none. False while it cannot be made yet. */
async function initiate(url: string, hosts: string[], ours?: CertificatePaths): Promise<boolean> {
  const config = { _id: REPLICA_SET, members: hosts.map((host, _id) => ({ _id, host })) };
  try {
    await withMongo(url, (client) => client.db('admin').command({ replSetInitiate: config }), { ours });
    return true;
  } catch (error) {
    const { code, codeName } = error as { code?: number; codeName?: string };
    // Refused for want of a login means that there is a user, and so a set, already.
    return code === alreadyInitialized || codeName === 'Unauthorized';
  }
}

/** Makes the one user, which anybody on this machine may do until there is one. Does nothing where that is no primary. */
async function createUser(url: string, password: string, ours?: CertificatePaths): Promise<void> {
  const command = { createUser: USER, pwd: password, roles: ['root'] };
  try {
    await withMongo(url, (client) => client.db('admin').command(command), { ours, timeoutMs: 2_000 });
  } catch {
    // Not yet, or not there; whoever waits asks again.
  }
}

/** Whether every member has caught up, so that the set outlives the loss of one. */
async function areInService(url: string, ours?: CertificatePaths): Promise<boolean> {
  const { members } = await withMongo(url, (client) => client.db('admin').command({ replSetGetStatus: 1 }), {
    ours,
  });
  return (members as { stateStr: string }[]).every(({ stateStr }) => IN_SERVICE.has(stateStr));
}
