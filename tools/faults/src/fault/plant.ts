import { Client } from 'pg';
import type { ViolationKind } from '../checker/observations';

/** Bugs that the checker must find, made by hand in the view's table: see `--plant`. */
export const plants = ['drop', 'double', 'swap'] as const;
export type Plant = (typeof plants)[number];

/** As what the checker must report it. */
export const plantedKind = { drop: 'lost', double: 'doubled', swap: 'order' } as const satisfies Record<
  Plant,
  ViolationKind
>;

const STATEMENTS: Record<Plant, string> = {
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

/** Damages one conversation of the view. @throws Error when nothing was there to damage. */
export async function plantBug(databaseUrl: string, plant: Plant, conversationId: string): Promise<void> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rowCount } = await client.query(STATEMENTS[plant], [conversationId]);
    if (!rowCount) throw new Error(`There was nothing to ${plant}.`);
  } finally {
    await client.end();
  }
}
