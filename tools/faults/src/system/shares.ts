import type { System } from '@parley/tool-load';
import { LANES, PARTITIONS } from '@parley/contracts';
import { databaseOf } from '@parley/tool-local';

/** How a service's instances share what there is to take: partitions, or lanes of events. */
export interface Shares {
  service: string;
  /** What there is to take. */
  total: number;
  /** Instances that should have a part. */
  instances: number;
  /** The part of each that has one, largest first. */
  parts: number[];
}

const LANE_GAUGES = {
  history: 'history_lanes',
  notification: 'notification_lanes',
  realtime: 'realtime_lanes',
} as const;

/** Reads who has what at the moment: leases from messaging's table, lanes from the gauges of each instance. */
export async function readShares(system: System): Promise<Shares[]> {
  const running = (app: 'messaging' | keyof typeof LANE_GAUGES) =>
    system.apps.of(app).filter(({ pid }) => pid !== undefined);
  const partitions = await partitionsByOwner(system);
  const shares = [
    { service: 'messaging', total: PARTITIONS, instances: running('messaging').length, parts: partitions },
  ];
  for (const service of ['history', 'notification', 'realtime'] as const) {
    const instances = running(service);
    const lanes = await Promise.all(instances.map(({ url }) => gaugeOf(url, LANE_GAUGES[service])));
    shares.push({ service, total: LANES, instances: instances.length, parts: lanes.sort((a, b) => b - a) });
  }
  return shares;
}

/**
 * Why the parts are not even; undefined when they are. Even means: everything is taken, and nobody has more than the
 * even part rounded up. So of 64 partitions three instances have 20 to 22 each.
 */
export function unevenness({ total, instances, parts }: Shares): string | undefined {
  const bound = Math.ceil(total / Math.max(1, instances));
  const taken = parts.reduce((sum, part) => sum + part, 0);
  if (taken !== total) return `${taken} of ${total} are taken (${parts.join(', ')})`;
  return parts.some((part) => part > bound)
    ? `the parts are ${parts.join(', ')}, at most ${bound} would be even`
    : undefined;
}

async function partitionsByOwner({ servers }: System): Promise<number[]> {
  const client = databaseOf(servers);
  await client.connect();
  try {
    const { rows } = await client.query<{ part: string }>(
      `select count(*) as part from messaging.leases
       where owner is not null and expires_at > clock_timestamp() group by owner order by 1 desc`,
    );
    return rows.map(({ part }) => Number(part));
  } finally {
    await client.end();
  }
}

async function gaugeOf(url: string, name: string): Promise<number> {
  const text = await fetch(`${url}/metrics`).then(
    (response) => response.text(),
    () => '',
  );
  return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1] ?? 0);
}
