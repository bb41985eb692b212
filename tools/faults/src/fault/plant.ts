import { setTimeout as delay } from 'node:timers/promises';
import type { System } from '@parley/tool-load';
import { exchanges } from '@parley/contracts';
import { brokerOf, databaseOf } from '@parley/tool-local';
import type { Observations, ViolationKind } from '../checker/observations';
import type { Demands, Fault } from './fault';

/** Bugs that the checker must find, made by hand in a running system or in its record: see `--plant`. */
export const plants = ['drop', 'double', 'swap', 'sideways', 'refuse', 'seize', 'misreport'] as const;
export type Plant = (typeof plants)[number];

/** As what the checker must report it. */
export const plantedKind = {
  /** In the view: a message is gone, is there twice, two change places. */
  drop: 'lost',
  double: 'doubled',
  swap: 'order',
  /** In the record: one node told two events the other way round. */
  sideways: 'nodes',
  /** All owners freeze for a while in which nobody may be refused. */
  refuse: 'refused',
  /** A stranger holds the leases of many partitions. */
  seize: 'uneven',
  /** Somebody who is there is told to be gone. */
  misreport: 'presence',
} as const satisfies Record<Plant, ViolationKind>;

/** Longer than a command may take. */
const FROZEN_MS = 3_500;

const VIEW_STATEMENTS: Partial<Record<Plant, string>> = {
  drop: `
    delete from history.messages where (conversation_id, number) =
      (select conversation_id, number from history.messages
       where conversation_id = $1 order by number desc offset 2 limit 1)`,
  double: `
    insert into history.messages (conversation_id, number, version, created_at, id, thread_id, pinned, body)
    select conversation_id, number + 1, version, created_at, fresh.id, thread_id, pinned,
           (body::jsonb || jsonb_build_object('id', fresh.id, 'number', number + 1))::json
    from history.messages, (select gen_random_uuid() as id) as fresh
    where conversation_id = $1 order by number desc limit 1`,
  swap: `
    with last as (
      select number, row_number() over (order by number desc) as rank
      from history.messages where conversation_id = $1 order by number desc limit 2),
    pair as (select max(number) as high, min(number) as low from last),
    bodies as (
      select number, (body::jsonb || jsonb_build_object('number', high + low - number))::json as body,
             high + low - number as place
      from history.messages, pair where conversation_id = $1 and number in (high, low))
    update history.messages as message set body = bodies.body, id = (bodies.body->>'id')::uuid
    from bodies where message.conversation_id = $1 and message.number = bodies.place`,
};

/** The round in which a bug is planted: nothing happens in it but what is planted. */
export function plantedFault(plant: Plant): Fault {
  const strikes: Partial<Record<Plant, { demands: Demands; strike(system: System): Promise<void> }>> = {
    refuse: { demands: { refusedMsMax: 0 }, strike: freezeOwners },
    misreport: { demands: { presence: true }, strike: tellLies },
  };
  return { name: 'nothing', ...(strikes[plant] ?? { strike: () => Promise.resolve() }) };
}

/**
 * Damages the view's copy of one conversation, the leases, or the record, when all is quiet and before it is judged.
 * @throws Error when nothing was there to damage.
 */
export async function plantBug(plant: Plant, { system, conversationId, sockets }: Planting): Promise<void> {
  const view = VIEW_STATEMENTS[plant];
  if (view !== undefined) await change(system, plant, view, [conversationId]);
  if (plant === 'seize') await change(system, plant, SEIZE, []);
  if (plant === 'sideways') turnAround(sockets, conversationId);
}

export interface Planting {
  system: System;
  conversationId: string;
  sockets: Observations['sockets'];
}

const SEIZE = `
  update messaging.leases set owner = 'a stranger', expires_at = now() + interval '1 hour', term = term + 1
  where partition < 40`;

async function change(system: System, plant: Plant, text: string, values: unknown[]): Promise<void> {
  const client = databaseOf(system.servers);
  await client.connect();
  try {
    const { rowCount } = await client.query(text, values);
    if (!rowCount) throw new Error(`There was nothing to ${plant}.`);
  } finally {
    await client.end();
  }
}

/** The last two events that the longest listener of one node was told of a conversation change places. */
function turnAround(sockets: Observations['sockets'], conversationId: string): void {
  const indexesOf = ({ entries }: Observations['sockets'][number]): number[] =>
    entries.flatMap((entry, index) =>
      entry.kind === 'event' && entry.conversationId === conversationId ? [index] : [],
    );
  const [longest] = [...sockets].sort((a, b) => indexesOf(b).length - indexesOf(a).length);
  const [one, other] = longest ? indexesOf(longest).slice(-2) : [];
  const entries = longest?.entries;
  if (!entries || one === undefined || other === undefined)
    throw new Error('There was nothing to turn around.');
  const [first, second] = [entries[one], entries[other]];
  if (first && second) [entries[one], entries[other]] = [second, first];
}

async function freezeOwners({ apps }: System): Promise<void> {
  const owners = apps.of('messaging');
  for (const owner of owners) owner.freeze();
  await delay(FROZEN_MS);
  for (const owner of owners) owner.thaw();
}

/** Says to every realtime node, as presence would, that some who are connected are gone. */
async function tellLies({ servers, apps }: System): Promise<void> {
  const client = databaseOf(servers);
  await client.connect();
  const { rows } = await client.query<{ id: string }>('select id from auth.users order by id limit 5');
  await client.end();
  if (apps.of('realtime').length === 0) throw new Error('There was nobody to tell.');
  const connection = await brokerOf(servers);
  const channel = await connection.createConfirmChannel();
  const items = rows.map(({ id }) => ({ userId: id, status: 'offline', lastSeenAt: null }));
  channel.publish(exchanges.presence.name, '', Buffer.from(JSON.stringify(items)));
  await channel.waitForConfirms();
  await connection.close();
}
