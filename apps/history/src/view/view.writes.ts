import type { Conversation, LogEvent, Message } from '@parley/contracts';
import type { SoundRows } from './view.store';

export interface MemberWrite {
  conversationId: string;
  userId: string;
  role: string;
  joinedAt: string;
  /** Null for plain joins and leaves of channels. */
  version: number | null;
  position: number;
  removed: boolean;
  /** These rows brought the member. */
  isNew: boolean;
}

export interface ConversationWrite {
  id: string;
  partition: number;
  head: number;
  messageCount: number;
  /** The shared part where these rows changed it, with the version (0 for none) and position that it came with. */
  shared: Conversation | null;
  sharedVersion: number;
  sharedPosition: number;
  deleted: boolean;
  /** These rows created it. */
  isNew: boolean;
}

/** What a batch of rows comes to: each entity once, at its last state. */
export interface ViewWrites {
  messages: Map<string, Message>;
  /** Keys of those messages that were not created by these rows, so that an earlier state is stored. */
  known: Set<string>;
  members: Map<string, MemberWrite>;
  conversations: Map<string, ConversationWrite>;
}

/** Collapses rows, given in rising position per partition. */
export function collapse(batch: SoundRows[]): ViewWrites {
  const writes: ViewWrites = {
    messages: new Map(),
    known: new Set(),
    members: new Map(),
    conversations: new Map(),
  };
  for (const { partition, rows } of batch) {
    for (const row of rows) take(writes, partition, row);
  }
  return writes;
}

function take(writes: ViewWrites, partition: number, row: LogEvent): void {
  const write = conversationWrite(writes, partition, row.conversationId);
  if (row.version !== null) write.head = row.version;
  switch (row.kind) {
    case 'message.created':
    case 'message.updated':
    case 'message.deleted':
    case 'reaction.changed': {
      const { message } = row;
      const key = `${message.conversationId}${message.number}`;
      if (row.kind !== 'message.created' && !writes.messages.has(key)) writes.known.add(key);
      writes.messages.set(key, message);
      if (message.number > write.messageCount) write.messageCount = message.number;
      return;
    }
    case 'conversation.created':
      write.isNew = true;
      share(write, row.conversation, row.version, row.position);
      for (const { userId, role, joinedAt } of row.members) {
        const { conversationId, version, position } = row;
        const member = {
          conversationId,
          userId,
          role,
          joinedAt,
          version,
          position,
          removed: false,
          isNew: true,
        };
        writes.members.set(conversationId + userId, member);
      }
      return;
    case 'conversation.updated':
      share(write, row.conversation, row.version, row.position);
      return;
    case 'conversation.deleted':
      write.deleted = true;
      return;
    case 'member.changed': {
      const { conversationId, version, position } = row;
      const { userId, role, joinedAt } = row.member;
      const known = writes.members.get(conversationId + userId);
      writes.members.set(conversationId + userId, {
        conversationId,
        userId,
        role,
        joinedAt,
        // A leave of a channel has no version; the one that the role came with stays.
        version: version ?? known?.version ?? null,
        position,
        removed: row.change === 'removed',
        isNew: known?.isNew ?? row.change === 'added',
      });
      share(write, row.conversation, version, position);
    }
  }
}

function conversationWrite(writes: ViewWrites, partition: number, id: string): ConversationWrite {
  let write = writes.conversations.get(id);
  if (!write) {
    write = {
      id,
      partition,
      head: 0,
      messageCount: 0,
      shared: null,
      sharedVersion: 0,
      sharedPosition: 0,
      deleted: false,
      isNew: false,
    };
    writes.conversations.set(id, write);
  }
  return write;
}

function share(write: ConversationWrite, shared: Conversation, version: number | null, position: number) {
  write.shared = shared;
  if (version !== null) write.sharedVersion = version;
  write.sharedPosition = position;
}
