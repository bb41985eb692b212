import { pgPool } from '@parley/service';
import { loadDeployment } from '../log/deployment';
import { Writer } from '../testing/log-writer';
import { openPostgresTestLog, postgresConfig } from '../testing/test-log';
import { AccountReader } from './account.reader';
import { JoinReader } from './join.reader';

it('somebody whose reading takes too long keeps nobody else from joining', async () => {
  const log = await openPostgresTestLog(await postgresConfig());
  try {
    const pool = pgPool(log.source);
    const writers = Array.from({ length: 5 }, (_, partition) => new Writer(partition));
    for (const writer of writers) await log.store.append([writer.created()]);
    const [slow, ...others] = writers as [Writer, ...Writer[]];
    await pool.query('insert into mentions values ($1, $2, 1)', [slow.alice, slow.state.id]);
    await pool.query('alter table mentions rename to all_mentions');
    await pool.query(
      `create view mentions as select * from all_mentions where user_id <> '${slow.alice}' or pg_sleep(5) is null`,
    );
    const joins = new JoinReader(
      pool,
      log.store,
      new AccountReader(pool, log.store),
      await loadDeployment(pool),
    );
    const asked = joins.join(slow.alice);
    const replies = Promise.all(others.map(({ alice }) => joins.join(alice)));
    await expect(asked).rejects.toMatchObject({ code: '57014' });
    expect((await replies).map(({ memberOf }) => memberOf)).toEqual(others.map(({ state }) => [state.id]));
  } finally {
    await log.close();
  }
});
