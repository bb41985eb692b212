import type { ConversationLog } from './log';
import type { Observations, SocketTrace, TraceEntry, Violation } from './observations';

/** Nothing reaches somebody who was not a member at that version, nor a socket that was told of the removal. */
export function checkAudience(observations: Observations, logs: Map<string, ConversationLog>): Violation[] {
  return observations.sockets.flatMap((trace) => checkSocket(trace, logs));
}

function checkSocket(trace: SocketTrace, logs: Map<string, ConversationLog>): Violation[] {
  const violations: Violation[] = [];
  /** Version of the removal of which this socket was told, by conversation, until it is added again. */
  const removedAt = new Map<string, number>();
  for (const entry of trace.entries) {
    if (entry.kind === 'stand') continue;
    const { conversationId } = entry;
    const removal = removedAt.get(conversationId);
    if (removal !== undefined && !isNewer(entry, removal)) {
      violations.push(leak(trace, entry, `after its removal at ${removal}`));
      continue;
    }
    if (entry.kind === 'hint') continue;
    removedAt.delete(conversationId);
    const stays = logs.get(conversationId)?.stays.get(trace.userId) ?? [];
    if (!stays.some(({ from, to }) => entry.version >= from && entry.version <= to))
      violations.push(leak(trace, entry, 'who was no member then'));
    if (entry.name === 'conversation:removed') removedAt.set(conversationId, entry.version);
  }
  return violations;
}

/** Whether an event shows that the person was added again, or merely repeats the removal. */
function isNewer(entry: TraceEntry, removal: number): boolean {
  if (entry.kind !== 'event') return false;
  // Joining a channel again moves no version, so being told of the conversation counts by itself.
  const mayBeEqual = entry.name === 'conversation:created' || entry.name === 'conversation:removed';
  return mayBeEqual ? entry.version >= removal : entry.version > removal;
}

function leak(trace: SocketTrace, entry: TraceEntry, why: string): Violation {
  const what =
    entry.kind === 'event' ? `${entry.name} ${entry.version}` : entry.kind === 'hint' ? entry.name : '';
  return {
    kind: 'leak',
    conversationId: entry.conversationId,
    detail: `${what} to ${trace.userId} on ${trace.socketId}, ${why}`,
  };
}
