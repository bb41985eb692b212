import { type ConversationLog } from './log';
import type { AckedSend, Observations, SocketTrace, Violation } from './observations';

/** The same order for all: on every socket, between sockets, and for what one socket sent. */
export function checkOrder(observations: Observations, logs: Map<string, ConversationLog>): Violation[] {
  return [
    ...observations.sockets.flatMap((trace) => checkSocket(trace, logs)),
    ...checkFirstAttempts(observations.sends),
    ...checkVersions(observations, logs),
  ];
}

/**
 * Durable events of one conversation rise in version. What comes below must be a repeat: something that this socket was
 * told before, or that its client holds by a sync. And all sockets are told the same under the same version.
 */
function checkSocket(trace: SocketTrace, logs: Map<string, ConversationLog>): Violation[] {
  const violations: Violation[] = [];
  const states = new Map<string, { highest: number; floor: number; seen: Set<number> }>();
  for (const entry of trace.entries) {
    if (entry.kind === 'hint') continue;
    const { conversationId, version } = entry;
    const state = states.get(conversationId) ?? { highest: 0, floor: 0, seen: new Set() };
    states.set(conversationId, state);
    if (entry.kind === 'stand') {
      state.floor = Math.max(state.floor, version);
      continue;
    }
    const where = `${trace.userId} on ${trace.socketId}: ${entry.name} ${version}`;
    if (version < state.highest && version > state.floor && !state.seen.has(version))
      violations.push({ kind: 'order', conversationId, detail: `${where} after ${state.highest}` });
    state.highest = Math.max(state.highest, version);
    state.seen.add(version);
    const row = logs.get(conversationId)?.byVersion.get(version);
    // `conversation:removed` and `conversation:created` go to one person and tell of another's row.
    const isPersonal = entry.name === 'conversation:removed' || entry.name === 'conversation:created';
    if (!row) violations.push({ kind: 'order', conversationId, detail: `${where} is not in the log` });
    else if (!isPersonal && (entry.name !== row.kind.replace('.', ':') || entry.digest !== row.digest))
      violations.push({
        kind: 'order',
        conversationId,
        detail: `${where} differs from the log's ${row.kind}`,
      });
  }
  return violations;
}

/** Messages of one socket to one conversation, accepted at first sending, are numbered in the order of sending. */
function checkFirstAttempts(sends: AckedSend[]): Violation[] {
  const violations: Violation[] = [];
  const last = new Map<string, AckedSend>();
  const firsts = sends.filter((send) => send.attempts === 1).sort((a, b) => a.rank - b.rank);
  for (const send of firsts) {
    const key = `${send.socketId} ${send.conversationId}`;
    const before = last.get(key);
    if (before && before.number >= send.number)
      violations.push({
        kind: 'order',
        conversationId: send.conversationId,
        detail: `${send.senderId} sent ${before.number} before ${send.number} on ${send.socketId}`,
      });
    last.set(key, send);
  }
  return violations;
}

/** The version of every answer is that of a row about that very message. */
function checkVersions({ sends, changes }: Observations, logs: Map<string, ConversationLog>): Violation[] {
  return [...sends, ...changes].flatMap(({ conversationId, messageId, version }) => {
    const row = logs.get(conversationId)?.byVersion.get(version);
    if (row?.message?.id === messageId) return [];
    const detail = `version ${version}, answered for ${messageId}, is ${row ? `a ${row.kind} of something else` : 'not in the log'}`;
    return [{ kind: 'lost' as const, conversationId, detail }];
  });
}
