// That PostgreSQL has a connection for everybody, when each autoscaler is at its upper bound and every app is being replaced.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { workspace } from '../local/prepare.mjs';

/** For superusers, the operator, the exporter, and who looks into the database. */
const RESERVED = 20;
/** While an app is replaced: a new instance more, and an old one that drains and is counted no more. */
const REPLACED = 2;
/** Its own, and the one that holds the lock. */
const OF_MIGRATION = 2;

/** Nothing is found where the database is outside, for its bound is not known here. */
export function databaseConnections(objects, configs) {
  const max = connectionsMax(objects);
  if (max === undefined) return [];
  const parts = [...configs]
    .filter(([, config]) => config.DATABASE_URL)
    .map(([app, config]) => {
      const { spec } = objects.find(
        (one) => one.kind === 'HorizontalPodAutoscaler' && one.metadata.name === app,
      );
      const each = config.DATABASE_POOL_MAX + connectionsBeside(app);
      return { app, count: (spec.maxReplicas + REPLACED) * each };
    });
  const sum = parts.reduce((total, { count }) => total + count + OF_MIGRATION, RESERVED);
  if (sum <= max) return [];
  const list = parts.map(({ app, count }) => `${app} ${count}`).join(', ');
  return [`postgres: max_connections is ${max}, and up to ${sum} may be opened (${list})`];
}

function connectionsMax(objects) {
  const postgres = objects.find(
    ({ kind, metadata }) => ['Cluster', 'StatefulSet'].includes(kind) && metadata.name === 'postgres',
  );
  const { postgresql, template } = postgres?.spec ?? {};
  const argument = /max_connections=(\d+)/.exec(template?.spec.containers[0].args?.join(' ') ?? '')?.[1];
  const given = postgresql?.parameters.max_connections ?? argument;
  return given === undefined ? undefined : Number(given);
}

/** Those that an app opens beside its pool, as its code says: `feedConnections = { name: 'feed', poolMax: 2 }`. */
function connectionsBeside(app) {
  const folder = join(workspace, 'apps', app, 'src');
  return readdirSync(folder)
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.spec.ts'))
    .flatMap((file) => [
      ...readFileSync(join(folder, file), 'utf8').matchAll(/Connections = \{[^}]*poolMax: (\d+)/g),
    ])
    .reduce((sum, [, count]) => sum + Number(count), 0);
}
