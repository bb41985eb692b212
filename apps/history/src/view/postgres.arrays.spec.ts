import { randomUUID } from 'node:crypto';
import { freshDatabase } from '@parley/testing';
import { Client } from 'pg';
import {
  bigintArray,
  boolArray,
  jsonArray,
  smallintArray,
  timestampArray,
  uuidArray,
} from './postgres.arrays';

let client: Client;

beforeAll(async () => {
  client = new Client({ connectionString: await freshDatabase() });
  await client.connect();
});

afterAll(() => client.end());

async function seen(type: string, array: Buffer): Promise<unknown> {
  const { rows } = await client.query(`select to_json($1::${type}[]) as seen`, [array]);
  return rows[0].seen;
}

it.each([
  ['boolean', boolArray([true, false]), [true, false]],
  ['smallint', smallintArray([0, 63, -1]), [0, 63, -1]],
  ['json', jsonArray(['{"a":"ü🙂"}', null, '[]']), [{ a: 'ü🙂' }, null, []]],
  [
    'bigint',
    bigintArray([0, null, 1, -1, 2 ** 32, Number.MAX_SAFE_INTEGER]),
    [0, null, 1, -1, 2 ** 32, Number.MAX_SAFE_INTEGER],
  ],
])('%s', async (type, array, expected) => {
  expect(await seen(type, array)).toEqual(expected);
});

it('uuid', async () => {
  const ids = [
    ...Array.from({ length: 50 }, () => randomUUID()),
    null,
    '01234567-89ab-cdef-fedc-ba9876543210',
  ];
  expect(await seen('uuid', uuidArray(ids))).toEqual(ids);
});

it('timestamptz', async () => {
  const times = ['2026-01-31T09:30:00.123Z', '1999-12-31T23:59:59.999Z', '2000-01-01T00:00:00.000Z'];
  const { rows } = await client.query('select unnest($1::timestamptz[]) as seen', [timestampArray(times)]);
  expect(rows.map(({ seen: time }) => (time as Date).toISOString())).toEqual(times);
});

it.each([
  ['boolean', boolArray([])],
  ['smallint', smallintArray([])],
  ['bigint', bigintArray([])],
  ['uuid', uuidArray([])],
  ['timestamptz', timestampArray([])],
  ['json', jsonArray([])],
])('no %s at all', async (type, array) => {
  expect(await seen(type, array)).toEqual([]);
});
