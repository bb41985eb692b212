import { randomBytes } from 'node:crypto';
import { type GivenServers, givenServers, otherDatabase, withMongo } from '@parley/tool-local';

const DROP_TIMEOUT_MS = 15_000;

/**
 * The MongoDB of MONGODB_URL, which cannot be started everywhere; nothing else that runs already is used. A log belongs to
 * one deployment, so each gets a new database there, beside the one that the address names.
 *
 * @param name begins the name of the database
 */
export function givenMongo(env: NodeJS.ProcessEnv, name: string): GivenServers {
  const { mongodbUrl: url, tls } = givenServers(env);
  if (url === undefined) return {};
  const made = `${Date.now().toString(36)}_${randomBytes(4).toString('hex')}`;
  const mongodbUrl = otherDatabase(url, `parley_${name}_${made}`);
  if (!tls) return { mongodbUrl };
  // For it alone: the other servers are ours, and so is their authority.
  const files = Object.entries(tls.environment).map(([variable, file]) => [
    variable.replace(/^TLS_/, 'MONGODB_'),
    file,
  ]);
  return {
    mongodbUrl,
    tls: { paths: tls.paths, environment: Object.fromEntries(files) as Record<string, string> },
  };
}

/** Removes the database of `givenMongo` with all that is in it. @throws Error when the server does not answer */
export async function dropGivenMongo({ mongodbUrl, tls }: GivenServers): Promise<void> {
  if (mongodbUrl === undefined) return;
  const options = { timeoutMs: DROP_TIMEOUT_MS, ...(tls && { ours: tls.paths }) };
  await withMongo(mongodbUrl, (client) => client.db().dropDatabase(), options);
}
