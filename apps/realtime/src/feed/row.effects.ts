import { type LogEvent, logEventKinds } from '@parley/contracts';
import { eventFrame } from '../socket/frames';

/**
 * What a row of the log means for sockets. First the leavers get `conversation:removed` and leave the room, then the
 * room gets the row's own event, then the joiners get `conversation:created` and join. So nobody hears of what happened
 * before they came or after they went.
 */

type Removal = Extract<LogEvent, { kind: 'conversation.deleted' | 'member.changed' }>;
type Arrival = Extract<LogEvent, { kind: 'conversation.created' | 'member.changed' }>;

const NOBODY: readonly string[] = [];

/** The users whom the row removes from the conversation; undefined means everybody. */
export function leaversOf(row: LogEvent): readonly string[] | undefined {
  if (row.kind === 'conversation.deleted') return undefined;
  return row.kind === 'member.changed' && row.change === 'removed' ? [row.member.userId] : NOBODY;
}

/** The users whom the row brings into the conversation. */
export function joinersOf(row: LogEvent): readonly string[] {
  if (row.kind === 'conversation.created') return row.members.map((member) => member.userId);
  return row.kind === 'member.changed' && row.change === 'added' ? [row.member.userId] : NOBODY;
}

/** Whether the row changes who is in the room. */
export function movesMembers(row: LogEvent): boolean {
  switch (row.kind) {
    case 'conversation.created':
    case 'conversation.deleted':
      return true;
    case 'member.changed':
      return row.change !== 'role';
    case 'message.created':
    case 'message.updated':
    case 'message.deleted':
    case 'reaction.changed':
    case 'conversation.updated':
      return false;
  }
}

/** What the members get; null where members get nothing: joins and leaves of a channel move no version. */
export function roomFrame(row: LogEvent): Buffer | null {
  const { conversationId } = row;
  if (!logEventKinds.has(row.kind)) return unknownFrame(row);
  switch (row.kind) {
    case 'message.created':
      return eventFrame('message:created', { conversationId, version: row.version, message: row.message });
    case 'message.updated':
      return eventFrame('message:updated', { conversationId, version: row.version, message: row.message });
    case 'message.deleted':
      return eventFrame('message:deleted', { conversationId, version: row.version, message: row.message });
    case 'reaction.changed':
      return eventFrame('reaction:changed', { conversationId, version: row.version, message: row.message });
    case 'conversation.updated':
      return eventFrame('conversation:updated', {
        conversationId,
        version: row.version,
        conversation: row.conversation,
      });
    case 'member.changed': {
      if (row.version === null) return null;
      const { userId, role, joinedAt } = row.member;
      const { version, change } = row;
      return eventFrame('member:changed', {
        conversationId,
        version,
        change,
        member: { userId, role, joinedAt },
      });
    }
    case 'conversation.created':
    case 'conversation.deleted':
      return null;
  }
}

/** What a later release writes is not understood here, but its version is: clients sync, and lose nothing. */
function unknownFrame({ conversationId, version }: LogEvent): Buffer | null {
  return version === null ? null : eventFrame('position', { versions: { [conversationId]: version } });
}

export function createdFrame(row: Arrival): Buffer {
  const { conversationId, conversation } = row;
  return eventFrame('conversation:created', {
    conversationId,
    version: row.version ?? conversation.version,
    conversation,
  });
}

export function removedFrame(row: Removal): Buffer {
  const { conversationId } = row;
  const version = row.kind === 'member.changed' ? (row.version ?? row.conversation.version) : row.version;
  return eventFrame('conversation:removed', { conversationId, version });
}
