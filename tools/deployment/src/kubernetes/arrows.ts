import type { App } from '../apps';
import type { Kubernetes } from './kubernetes';

/** Names and ports of everything that an app might speak to. */
const DOORS = {
  postgres: 5432,
  mongodb: 27017,
  redis: 6379,
  rabbitmq: 5672,
  auth: 3000,
  messaging: 3000,
} as const;
type Door = keyof typeof DOORS;

/** What the architecture draws between apps and these doors, or the store of messages; apps speak to each other over the broker alone. */
const ARROWS: Record<App, readonly (Door | 'store')[]> = {
  auth: ['postgres', 'redis', 'rabbitmq'],
  history: ['store', 'rabbitmq'],
  messaging: ['postgres', 'store', 'rabbitmq'],
  notification: ['postgres', 'rabbitmq'],
  presence: ['redis', 'rabbitmq'],
  realtime: ['redis', 'rabbitmq'],
};
const WITHIN_MS = 3_000;

/** Arrows of the architecture that do not lead anywhere, and ways that are open although there is no arrow. */
export async function closedArrows(cluster: Kubernetes): Promise<string[]> {
  const findings: string[] = [];
  const store = await messageStore(cluster);
  for (const [app, drawn] of Object.entries(ARROWS)) {
    const arrows = drawn.map((door) => (door === 'store' ? store : door));
    const [pod] = await cluster.pods(app);
    const others = Object.keys(DOORS).filter((name) => name !== app) as Door[];
    const said = await cluster.inNamespace('exec', pod!, '--', 'node', '-e', probe(others));
    const open = new Set(said.split(' '));
    for (const door of others) {
      const isDrawn = arrows.includes(door);
      if (open.has(door) !== isDrawn)
        findings.push(`${app} ${isDrawn ? 'does not reach' : 'reaches, although it should not,'} ${door}`);
    }
  }
  return findings;
}

/** Behind which door messages are kept, as an instance is told. */
async function messageStore(cluster: Kubernetes): Promise<Door> {
  const [pod] = await cluster.pods('history');
  const said = await cluster.inNamespace('exec', pod!, '--', 'sh', '-c', 'echo $MESSAGE_STORE');
  return said.trim() === 'mongodb' ? 'mongodb' : 'postgres';
}

/** A program that prints the names to which a connection can be made. */
function probe(names: Door[]): string {
  const doors = JSON.stringify(Object.fromEntries(names.map((name) => [name, DOORS[name]])));
  return `
    const { connect } = require('node:net');
    Promise.all(Object.entries(${doors}).map(([host, port]) => new Promise((resolve) => {
      const socket = connect({ host, port, timeout: ${WITHIN_MS} });
      const end = (name) => { socket.destroy(); resolve(name); };
      socket.on('connect', () => end(host)).on('timeout', () => end('')).on('error', () => end(''));
    }))).then((open) => console.log(open.filter(Boolean).join(' ')));`;
}
