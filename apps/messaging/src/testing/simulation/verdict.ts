import type { LogEvent, Message } from '@parley/contracts';
import type { CommandData } from '@parley/contracts';
import { toHead } from '../../conversation/conversation.state';
import type { LogRow } from '../../log/log.store';
import type { Held } from './audience';
import type { Run } from './run';

/** Everything that a run broke, in words; empty when every promise was kept. */
export function verdict(run: Run): string[] {
  return [
    ...positions(run),
    ...counters(run),
    ...acknowledged(run),
    ...refused(run),
    ...ordered(run),
    ...inTime(run),
    ...convergence(run),
    ...projected(run),
  ];
}

function sorted(rows: Map<number, LogRow> | undefined): LogRow[] {
  return [...(rows?.values() ?? [])].sort((a, b) => a.position - b.position);
}

function positions({ log }: Run): string[] {
  const found: string[] = [];
  for (const [partition, rows] of log.rows) {
    sorted(rows).forEach((row, i) => {
      if (row.position !== i + 1)
        found.push(`partition ${partition}: position ${row.position} stands at ${i + 1}`);
    });
  }
  return found;
}

/** Versions and numbers rise by one, and no client id made two messages. */
function counters({ log }: Run): string[] {
  const found: string[] = [];
  const seen = new Map<string, { version: number; number: number }>();
  const clientIds = new Set<string>();
  for (const row of [...log.rows.values()].flatMap(sorted)) {
    const before = seen.get(row.conversationId) ?? { version: 0, number: 0 };
    if (row.version !== null && row.version !== before.version + 1) {
      found.push(`${row.conversationId}: version ${row.version} after ${before.version}`);
    }
    if (row.number !== null && row.number !== before.number + 1) {
      found.push(`${row.conversationId}: number ${row.number} after ${before.number}`);
    }
    seen.set(row.conversationId, {
      version: row.version ?? before.version,
      number: row.number ?? before.number,
    });
    if (row.clientMessageId === null) continue;
    const key = `${row.conversationId}/${row.senderId}/${row.clientMessageId}`;
    if (clientIds.has(key)) found.push(`${key} made two messages`);
    clientIds.add(key);
    const head = row.conversation;
    if (head.version !== row.version || head.messageCount !== row.number) {
      found.push(`${key}: the projection says ${head.version}/${head.messageCount}`);
    }
  }
  return found;
}

/** What was acknowledged is in the log, exactly as it was acknowledged. */
function acknowledged({ log, senders }: Run): string[] {
  const found: string[] = [];
  const events = [...log.rows.values()].flatMap((rows) =>
    [...rows.values()].map((row) => JSON.parse(row.event) as LogEvent),
  );
  const states = new Map<string, Message>();
  for (const event of events)
    if ('message' in event) states.set(`${event.message.id}/${event.version}`, event.message);
  for (const { name, data, reply } of senders.flatMap((sender) => sender.acked)) {
    if (!reply.message) continue;
    const stored = states.get(`${reply.message.id}/${reply.message.version}`);
    if (!stored || JSON.stringify(stored) !== JSON.stringify(reply.message)) {
      found.push(
        `${name} was acknowledged as ${reply.message.id}/${reply.message.version}, which is not in the log`,
      );
    }
    if (name !== 'message.send') continue;
    const { clientMessageId, body } = data as CommandData<'message.send'>;
    const first = events.find(
      (event) => event.kind === 'message.created' && event.message.id === reply.message!.id,
    );
    if (first?.kind !== 'message.created' || first.message.clientMessageId !== clientMessageId) {
      found.push(`${clientMessageId} was acknowledged with another message`);
    } else if (first.message.body !== body) found.push(`${clientMessageId} was stored with another body`);
  }
  return found;
}

/** What was refused for good is not in the log, unless another copy of it was still on its way. */
function refused({ log, senders, asked }: Run): string[] {
  const keyOf = (conversationId: string, senderId: string, clientMessageId: string) =>
    `${conversationId}/${senderId}/${clientMessageId}`;
  const stored = new Set(
    [...log.rows.values()]
      .flatMap(sorted)
      .filter(({ clientMessageId }) => clientMessageId !== null)
      .map((row) => keyOf(row.conversationId, row.senderId!, row.clientMessageId!)),
  );
  return senders
    .flatMap((sender) => sender.refused)
    .map(({ data, at }) => ({ key: keyOf(data.conversationId, data.actorId, data.clientMessageId), at }))
    .filter(({ key, at }) => stored.has(key) && asked.get(key)!.filter(({ until }) => until > at).length < 2)
    .map(({ key, at }) => `${key} was refused at ${at}, and is in the log`);
}

/** Messages of one sender in a row, accepted at first sending, are numbered in the order of sending. */
function ordered({ senders }: Run): string[] {
  return senders
    .flatMap(({ rows }) => rows)
    .map((row) => row.map(({ number }) => number))
    .filter((numbers) => numbers.some((number, i) => i > 0 && number <= numbers[i - 1]!))
    .map((numbers) => `sent in a row, numbered ${numbers.join()}`);
}

/**
 * No message was decided, or given to the log, before it was asked for or when nobody waited any more: its sender may have
 * thought better of it.
 */
function inTime({ log, asked, decidedAt, givenAt }: Run): string[] {
  const found: string[] = [];
  for (const row of [...log.rows.values()].flatMap(sorted)) {
    if (row.clientMessageId === null) continue;
    const key = `${row.conversationId}/${row.senderId}/${row.clientMessageId}`;
    const isWanted = (moment: number) =>
      asked.get(key)?.some(({ at, until }) => at <= moment && moment < until);
    const decided = decidedAt.get(row.messageId!)!;
    if (!isWanted(decided)) found.push(`${key} was decided at ${decided}, when nobody asked`);
    for (const given of givenAt.get(row.messageId!) ?? [])
      if (!isWanted(given)) found.push(`${key} was given to the log at ${given}, when nobody asked`);
  }
  return found;
}

/** Whoever lost, repeated or reordered what on the way: all hold the same in the end, and it is what the log says. */
function convergence({ view, readers, log }: Run): string[] {
  const found: string[] = [];
  for (const [id, held] of view.conversations) {
    const last = [...log.rows.values()].flatMap(sorted).findLast((row) => row.conversationId === id);
    if (last?.version !== held.version)
      found.push(`${id}: the view stands at ${held.version}, the log at ${last?.version}`);
    for (const [i, reader] of readers.entries()) {
      const copy = reader.held.get(id);
      if (!copy || text(copy) !== text(held))
        found.push(`${id}: reader ${i} holds something else than a fresh one`);
    }
  }
  return found;
}

/** The projection, built up row by row, is what the last row's owner had in memory. */
function projected({ log }: Run): string[] {
  const found: string[] = [];
  for (const [id, state] of log.states) {
    const last = [...log.rows.values()].flatMap(sorted).findLast((row) => row.conversationId === id)!;
    const head = toHead(state);
    for (const field of Object.keys(head) as (keyof typeof head)[]) {
      if (head[field] !== last.conversation[field])
        found.push(`${id}: ${field} is projected as ${head[field]}`);
    }
  }
  return found;
}

function text({ version, entities }: Held): string {
  return JSON.stringify([version, [...entities].sort(([a], [b]) => (a < b ? -1 : 1))]);
}
