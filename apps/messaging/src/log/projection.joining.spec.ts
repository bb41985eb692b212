import { describeMongo } from '@parley/testing';
import { Writer } from '../testing/log-writer';
import {
  mongoConfig,
  openMongoTestLog,
  openPostgresTestLog,
  postgresConfig,
  type TestLog,
} from '../testing/test-log';
import type { LogRow, MembershipChange } from './log.store';

const [early, late] = ['2026-02-01T09:30:00.000Z', '2026-02-01T10:30:00.000Z'] as const;

describe('PostgreSQL', () => {
  describeJoining(async () => openPostgresTestLog(await postgresConfig()));
});
describeMongo('MongoDB', () => {
  describeJoining(async () => openMongoTestLog((await mongoConfig()).config));
});

/** Whoever joins has read what was sent before, and nothing that is sent afterwards, whatever comes in one append. */
function describeJoining(open: () => Promise<TestLog>): void {
  let log: TestLog;
  beforeAll(async () => {
    log = await open();
  });
  afterAll(() => log.close());

  it('lets a change of role in the same append leave the mark where joining put it', async () => {
    const writer = new Writer(1);
    await log.store.append([writer.created(), writer.removed(writer.bob), writer.sent('before')]);
    await log.store.append([added(writer, early), writer.sent('after'), promoted(writer, early)]);
    expect(await readBase(writer)).toBe(1);
  });

  it('moves the mark of somebody who leaves and comes back in the same append', async () => {
    const writer = new Writer(2);
    await log.store.append([writer.created()]);
    await log.store.append([writer.removed(writer.bob), writer.sent('missed'), added(writer, late)]);
    expect(await readBase(writer)).toBe(1);
    await log.store.append([writer.sent('seen'), promoted(writer, late)]);
    expect(await readBase(writer)).toBe(1);
  });

  const change = (writer: Writer, of: Pick<MembershipChange, 'role' | 'joinedAt'>): LogRow => ({
    ...writer.renamed('Friends'),
    memberships: [{ userId: writer.bob, readBase: writer.state.messageCount, ...of }],
  });
  const added = (writer: Writer, joinedAt: string) => change(writer, { role: 'member', joinedAt });
  const promoted = (writer: Writer, joinedAt: string) => change(writer, { role: 'admin', joinedAt });

  async function readBase({ bob, state }: Writer): Promise<number> {
    const [row] = await log.source.query<{ read_base: string }[]>(
      'select read_base from memberships where user_id = $1 and conversation_id = $2',
      [bob, state.id],
    );
    return Number(row?.read_base);
  }
}
