import type { Message, Role } from '@parley/contracts';
import type { LogRow, Observations, Violation } from './observations';

/** What the log says about one conversation. */
export interface ConversationLog {
  conversationId: string;
  rows: LogRow[];
  /** The newest version. */
  head: number;
  byVersion: Map<number, LogRow>;
  /** Every message in its last state, by id. */
  messages: Map<string, Message>;
  members: Map<string, Role>;
  /** When each person was a member, in versions; both ends belong to it. */
  stays: Map<string, Stay[]>;
}

export interface Stay {
  from: number;
  to: number;
}

/** Folds the rows into one log per conversation. */
export function readLog(rows: readonly LogRow[]): Map<string, ConversationLog> {
  const logs = new Map<string, ConversationLog>();
  for (const row of rows) {
    const log = logs.get(row.conversationId) ?? emptyLog(row.conversationId);
    logs.set(row.conversationId, log);
    apply(log, row);
  }
  return logs;
}

function emptyLog(conversationId: string): ConversationLog {
  return {
    conversationId,
    rows: [],
    head: 0,
    byVersion: new Map(),
    messages: new Map(),
    members: new Map(),
    stays: new Map(),
  };
}

function apply(log: ConversationLog, row: LogRow): void {
  log.rows.push(row);
  if (row.version !== null) {
    log.byVersion.set(row.version, row);
    log.head = Math.max(log.head, row.version);
  }
  if (row.message) log.messages.set(row.message.id, row.message);
  for (const member of row.members ?? []) enter(log, member.userId, member.role);
  if (!row.change) return;
  const { what, member } = row.change;
  if (what === 'removed') leave(log, member.userId);
  else if (what === 'role') log.members.set(member.userId, member.role);
  else enter(log, member.userId, member.role);
}

function enter(log: ConversationLog, userId: string, role: Role): void {
  log.members.set(userId, role);
  const stays = log.stays.get(userId) ?? [];
  // Joining a channel moves no version: the newcomer is told of what comes after the present one.
  stays.push({ from: log.head, to: Infinity });
  log.stays.set(userId, stays);
}

function leave(log: ConversationLog, userId: string): void {
  log.members.delete(userId);
  const last = log.stays.get(userId)?.at(-1);
  if (last) last.to = log.head;
}

/** Positions are dense in each partition; versions and numbers in each conversation; nobody's client id comes twice. */
export function checkLog(observations: Observations, logs: Map<string, ConversationLog>): Violation[] {
  const violations: Violation[] = [];
  const positions = new Map<number, number>();
  for (const { partition, position, conversationId } of observations.log) {
    const expected = (positions.get(partition) ?? 0) + 1;
    if (position !== expected)
      violations.push({
        kind: 'gap',
        conversationId,
        detail: `partition ${partition} has position ${position} where ${expected} is due`,
      });
    positions.set(partition, position);
  }
  for (const log of logs.values()) violations.push(...checkCounters(log));
  return violations;
}

function checkCounters({ conversationId, rows }: ConversationLog): Violation[] {
  const violations: Violation[] = [];
  const add = (kind: 'gap' | 'doubled', detail: string): number =>
    violations.push({ kind, conversationId, detail });
  let version = 0;
  let number = 0;
  const clientIds = new Set<string>();
  for (const row of rows) {
    if (row.version !== null) {
      if (row.version !== version + 1) add('gap', `the log has version ${row.version} after ${version}`);
      version = row.version;
    }
    if (row.kind !== 'message.created' || !row.message) continue;
    const { message } = row;
    if (message.number !== number + 1) add('gap', `the log has message ${message.number} after ${number}`);
    number = message.number;
    const clientId = `${message.senderId} ${message.clientMessageId}`;
    if (clientIds.has(clientId)) add('doubled', `the log has ${clientId} twice`);
    clientIds.add(clientId);
  }
  return violations;
}
