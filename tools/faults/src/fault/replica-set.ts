import type { System } from '@parley/tool-load';
import type { Member } from '@parley/tool-local';
import type { Fault } from './fault';
import { outage, standstill } from './outage';

/** With one member lost, two are a majority still. */
export const MEMBERS = 3;
/** Longer than it takes to go on without the primary. */
const OUTAGE_MS = 30_000;
/**
 * An election begins after ten seconds without a primary; and when that one is frozen, who followed it waits some
 * seconds more before he follows another, without which there is no majority.
 */
const ELECTION_REFUSED_MS_MAX = 25_000;

/** The primary crashes; another one is elected, which has all that was acknowledged. */
const killed: Fault = {
  ...ofSet('kill -9 mongodb primary 30 s'),
  async strike(system) {
    await outage(await primaryOf(system), 'kill', OUTAGE_MS);
  },
};

/** The primary stands still and comes back with what nobody else has: the others have elected one meanwhile. */
const frozen: Fault = {
  ...ofSet('freeze mongodb primary 30 s'),
  async strike(system) {
    await standstill(await primaryOf(system), OUTAGE_MS);
  },
};

/** Every member is replaced in good order, as an upgrade of the servers does. */
const replaced: Fault = {
  ...ofSet('replace mongodb members'),
  async strike({ servers: { mongodb } }) {
    for (const member of mongodb?.members ?? []) {
      await member.stop();
      await member.start();
      await mongodb?.untilInService();
    }
  },
};

/** Only where the run has a replica set of its own to strike. */
export const replicaSetFaults: Fault[] = [killed, frozen, replaced];

function ofSet(name: string): Omit<Fault, 'strike'> {
  return {
    name,
    store: 'mongodb',
    strikes: 'mongodb',
    needsMembers: true,
    demands: { refusedMsMax: ELECTION_REFUSED_MS_MAX },
  };
}

async function primaryOf({ servers: { mongodb } }: System): Promise<Member> {
  if (!mongodb) throw new Error('There is no MongoDB.');
  return mongodb.primary();
}
