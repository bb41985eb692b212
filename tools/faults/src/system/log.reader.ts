import { setTimeout as delay } from 'node:timers/promises';
import { type LogEvent, PARTITIONS } from '@parley/contracts';
import { Broker, ControlInbox, PageSize, Requester } from '@parley/broker';
import { type Servers, tlsOptions } from '@parley/tool-local';
import type { LogRow } from '../checker/observations';
import { subjectDigest } from '../client/person';

const PAGE_ROWS_MAX = 1000;
/** What follows a fault may keep a slow store busy for a while. */
const PATIENCE_MS = 60_000;
const PAUSE_MS = 250;
const QUIET = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** Reads the whole log as messaging replays it to any consumer, so it works with every store. */
export async function readWholeLog({ rabbitmq, tls }: Servers): Promise<LogRow[]> {
  // It asks as history would, but never says that it is there, so no lane is given to it.
  const broker = new Broker({
    url: rabbitmq.url,
    ...(tls && { tls: tlsOptions(tls) }),
    service: 'history',
    instanceId: `faults-${process.pid}`,
    logger: QUIET,
  });
  const control = new ControlInbox(broker);
  const requester = new Requester(broker, control);
  broker.start();
  try {
    await broker.whenConnected();
    const rows: LogRow[] = [];
    const size = new PageSize(PAGE_ROWS_MAX);
    for (let partition = 0; partition < PARTITIONS; partition++)
      rows.push(...(await readPartition(requester, partition, size)));
    return rows;
  } finally {
    requester.stop();
    await broker.stop();
  }
}

async function readPartition(requester: Requester, partition: number, size: PageSize): Promise<LogRow[]> {
  const rows: LogRow[] = [];
  for (let after = 0; ;) {
    const page = await readPage(requester, partition, after, size);
    rows.push(...page.rows.map((event) => rowOf(partition, event)));
    const last = page.rows.at(-1);
    if (!last || last.position >= page.head) return rows;
    after = last.position;
  }
}

async function readPage(requester: Requester, partition: number, after: number, size: PageSize) {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await size.ask((limit) => requester.query('messaging.replay', { partition, after, limit }));
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay(PAUSE_MS);
    }
  }
}

function rowOf(partition: number, event: LogEvent): LogRow {
  const { position, conversationId, version, kind } = event;
  const row: LogRow = { partition, position, conversationId, version, kind, digest: subjectDigest(event) };
  if ('message' in event) row.message = event.message;
  if (event.kind === 'conversation.created') row.members = event.members;
  if (event.kind === 'member.changed') row.change = { what: event.change, member: event.member };
  return row;
}
