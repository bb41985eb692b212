import type { CertificatePaths } from '../certificates';
import { databaseClient } from '../postgres';

/**
 * FerretDB asks PostgreSQL for equality by containment, `_jsonb -> 'field' @> value`, which its own indexes do not serve:
 * every query would read the whole collection. This adds indexes that serve it, one for the first field of each index.
 * Call it after migrations; it may be repeated.
 *
 * @param databaseUrl FerretDB's database in PostgreSQL
 * @param schema the MongoDB database
 */
export async function addContainmentIndexes(
  databaseUrl: string,
  schema: string,
  ours: CertificatePaths | undefined,
): Promise<void> {
  const client = databaseClient(databaseUrl, ours);
  await client.connect();
  try {
    const { rows } = await client.query<{ tablename: string; field: string }>(
      `select distinct tablename, substring(indexdef from $2) as field from pg_indexes
       where schemaname = $1 and indexdef ~ $2 and tablename not like '\\_ferretdb%'`,
      [schema, `USING btree \\(\\(\\(_jsonb -> '(\\w+)'`],
    );
    for (const { tablename, field } of rows) {
      const name = `${tablename}_${field}`.slice(0, 55) + '_gin';
      await client.query(
        `create index if not exists "${name}" on "${schema}"."${tablename}"
         using gin ((_jsonb -> '${field}') jsonb_path_ops) with (fastupdate = off)`,
      );
    }
  } finally {
    await client.end();
  }
}
