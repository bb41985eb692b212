import { randomBytes } from 'node:crypto';
import {
  PARTITIONS,
  ParleyError,
  partitionOf,
  type CommandData,
  type Conversation,
  type LogEvent,
  type Member,
  type Message,
  type MyConversation,
  type PartitionRows,
} from '@parley/contracts';
import { v7 as uuid } from 'uuid';

interface State {
  conversation: Conversation;
  members: Map<string, Member>;
  messages: Message[];
}

/** A log in memory, for specs: the rules of messaging as far as a realtime node sees them. */
export class TestLog {
  readonly rows: LogEvent[][] = Array.from({ length: PARTITIONS }, () => []);
  readonly states = new Map<string, State>();
  /** Called with each new row. */
  onRow: (partition: number, row: LogEvent) => void = () => undefined;

  /** A conversation; in the wanted partition where a spec needs one. */
  create(type: Conversation['type'], userIds: string[], partition?: number): Conversation {
    const id = idIn(partition ?? Math.floor(Math.random() * PARTITIONS));
    const at = now();
    const conversation: Conversation = {
      id,
      type,
      title: 'A title',
      topic: null,
      visibility: 'private',
      archived: false,
      createdBy: userIds[0] ?? null,
      createdAt: at,
      version: 1,
      messageCount: 0,
      memberCount: userIds.length,
    };
    const members = userIds.map((userId) => ({ userId, role: 'member' as const, joinedAt: at }));
    const state: State = {
      conversation,
      members: new Map(members.map((member) => [member.userId, member])),
      messages: [],
    };
    this.states.set(id, state);
    this.append({ kind: 'conversation.created', ...this.row(state, 1), conversation, members });
    return conversation;
  }

  send(data: CommandData<'message.send'>): { message: Message; created: boolean } {
    const state = this.stateFor(data.conversationId, data.actorId);
    const known = state.messages.find(
      ({ senderId, clientMessageId }) =>
        senderId === data.actorId && clientMessageId === data.clientMessageId,
    );
    if (known) return { message: known, created: false };
    const { conversation } = state;
    conversation.messageCount += 1;
    conversation.version += 1;
    const { actorId, ...fields } = data;
    const message: Message = {
      ...fields,
      id: uuid(),
      number: conversation.messageCount,
      version: conversation.version,
      senderId: actorId,
      reactions: [],
      pinned: false,
      createdAt: now(),
    };
    state.messages.push(message);
    this.append({
      kind: 'message.created',
      ...this.row(state, conversation.version),
      conversationType: conversation.type,
      message,
    });
    return { message, created: true };
  }

  edit(data: CommandData<'message.edit'>): { message: Message } {
    const state = this.stateFor(data.conversationId, data.actorId);
    const message = state.messages.find(({ id }) => id === data.messageId);
    if (!message) throw new ParleyError('not_found');
    state.conversation.version += 1;
    Object.assign(message, { body: data.body, version: state.conversation.version, editedAt: now() });
    this.append({
      kind: 'message.updated',
      ...this.row(state, message.version),
      conversationType: state.conversation.type,
      message: { ...message },
    });
    return { message };
  }

  rename(conversationId: string, title: string): void {
    const state = this.stateOf(conversationId);
    state.conversation = { ...state.conversation, title, version: state.conversation.version + 1 };
    const { conversation } = state;
    this.append({ kind: 'conversation.updated', ...this.row(state, conversation.version), conversation });
  }

  add(conversationId: string, userId: string): void {
    const state = this.stateOf(conversationId);
    const member = { userId, role: 'member' as const, joinedAt: now() };
    state.members.set(userId, member);
    this.changeMember(state, 'added', member);
  }

  remove(conversationId: string, userId: string): void {
    const state = this.stateOf(conversationId);
    const member = state.members.get(userId);
    if (!member) throw new Error('not a member');
    state.members.delete(userId);
    this.changeMember(state, 'removed', member);
  }

  delete(conversationId: string): void {
    const state = this.stateOf(conversationId);
    state.conversation.version += 1;
    this.append({ kind: 'conversation.deleted', ...this.row(state, state.conversation.version) });
    this.states.delete(conversationId);
  }

  memberOf(userId: string): State[] {
    return [...this.states.values()].filter(({ members }) => members.has(userId));
  }

  mine(userId: string): MyConversation[] {
    return this.memberOf(userId).map(({ conversation, messages }) => ({
      ...conversation,
      role: 'member',
      firstNumber: 1,
      readNumber: 0,
      unread: conversation.messageCount,
      unreadMentions: 0,
      unreadFrom: null,
      notifications: { level: 'all', mutedUntil: null },
      lastMessage: messages.at(-1) ?? null,
      lastActivityAt: conversation.createdAt,
    }));
  }

  /** Writes a row of a kind that this release does not know. */
  foreign(conversationId: string, kind: string): void {
    const state = this.stateOf(conversationId);
    const version = state.conversation.version + 1;
    state.conversation = { ...state.conversation, version };
    this.append({ kind, ...this.row(state, version) } as unknown as LogEvent);
  }

  positions(): number[] {
    return this.rows.map((rows) => rows.length);
  }

  after(partition: number, position: number, limit: number): PartitionRows['rows'] {
    return (this.rows[partition] ?? []).slice(position, position + limit);
  }

  private changeMember(state: State, change: 'added' | 'removed', member: Member): void {
    const isVersioned = state.conversation.type !== 'channel';
    const version = state.conversation.version + (isVersioned ? 1 : 0);
    state.conversation = { ...state.conversation, version, memberCount: state.members.size };
    this.append({
      kind: 'member.changed',
      ...this.row(state, version),
      version: isVersioned ? version : null,
      change,
      member: { ...member, version: isVersioned ? version : null },
      conversation: state.conversation,
    });
  }

  private stateOf(conversationId: string): State {
    const state = this.states.get(conversationId);
    if (!state) throw new ParleyError('not_found');
    return state;
  }

  private stateFor(conversationId: string, userId: string): State {
    const state = this.stateOf(conversationId);
    if (!state.members.has(userId)) throw new ParleyError('not_found');
    return state;
  }

  private row<V extends number>({ conversation }: State, version: V) {
    const partition = partitionOf(conversation.id);
    return {
      position: (this.rows[partition]?.length ?? 0) + 1,
      conversationId: conversation.id,
      version,
      at: now(),
      actorId: null,
    };
  }

  private append(row: LogEvent): void {
    const partition = partitionOf(row.conversationId);
    // A row never changes, while the state that it was made from does.
    const kept = JSON.parse(JSON.stringify(row)) as LogEvent;
    this.rows[partition]?.push(kept);
    this.onRow(partition, kept);
  }
}

function now(): string {
  return new Date().toISOString();
}

/** A conversation id in this partition. */
function idIn(partition: number): string {
  for (;;) {
    const id = `${uuid().slice(0, -6)}${randomBytes(3).toString('hex')}`;
    if (partitionOf(id) === partition) return id;
  }
}
