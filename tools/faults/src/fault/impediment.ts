import type { MongoServer, Server, ServerName } from '@parley/tool-local';
import type { Fault } from './fault';
import { MEMBERS } from './replica-set';

/** What of a system's servers says whether they can be struck. */
export interface Strikable extends Partial<Record<ServerName, Pick<Server, 'managed'>>> {
  mongodb?: Pick<MongoServer, 'managed' | 'members'>;
}

/** Why a fault cannot be tried on these servers, in words; undefined when it can. */
export function impediment(
  { strikes, needsMembers }: Pick<Fault, 'strikes' | 'needsMembers'>,
  servers: Strikable,
): string | undefined {
  if (strikes !== undefined && servers[strikes]?.managed === false)
    return `${strikes} was given by the environment and is not ours to strike: leave its address out`;
  if (needsMembers && (servers.mongodb?.members.length ?? 0) < MEMBERS)
    return 'FerretDB stands in for MongoDB, and has no members: install mongod';
  return undefined;
}
