import { Client } from 'pg';
import { managementRequest } from '../management';
import { madeAtOf } from '../names';
import type { TestServers } from '../servers';

const INTERVAL_MS = 60_000;
const UNUSED_AFTER_MS = 15 * 60_000;

/**
 * Servers that outlive a test run would fill up with the databases and virtual hosts of past suites; this removes
 * those that are old and have no connection.
 */
export function startPruning(servers: TestServers): void {
  setInterval(() => {
    prune(servers).catch((error: unknown) => process.stderr.write(`pruning failed: ${String(error)}\n`));
  }, INTERVAL_MS);
}

async function prune(servers: TestServers): Promise<void> {
  const before = Date.now() - UNUSED_AFTER_MS;
  const isOld = (name: string): boolean => (madeAtOf(name) ?? Infinity) < before;
  await dropDatabases(servers.databaseUrl, isOld);
  const connections = await managementRequest<{ vhost: string }[]>(servers, 'GET', '/api/connections');
  const inUse = new Set(connections.map(({ vhost }) => vhost));
  const vhosts = await managementRequest<{ name: string }[]>(servers, 'GET', '/api/vhosts');
  for (const { name } of vhosts) {
    if (isOld(name) && !inUse.has(name)) await managementRequest(servers, 'DELETE', `/api/vhosts/${name}`);
  }
}

async function dropDatabases(url: string, isOld: (name: string) => boolean): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ datname: string }>(
      'select datname from pg_database d where not exists (select from pg_stat_activity a where a.datid = d.oid)',
    );
    for (const { datname } of rows)
      if (isOld(datname)) await client.query(`drop database if exists ${datname}`);
  } finally {
    await client.end();
  }
}
