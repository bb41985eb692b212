import { randomUUID } from 'node:crypto';
import type { Conversation, LogEvent, Member, Message, PartitionRows } from '@parley/contracts';
import { partitionOf } from '@parley/contracts';

/** A conversation as the log has it: what every view of it must come to. */
export interface Truth {
  conversation: Conversation;
  messages: Map<number, Message>;
  members: Map<string, Member>;
  deleted: boolean;
}

/**
 * Writes a log as messaging does: dense positions per partition, dense versions and numbers per conversation, whole new
 * states. Keeps the truth beside it.
 */
export class LogWriter {
  readonly truth = new Map<string, Truth>();
  /** By partition, in rising position. */
  readonly rows = new Map<number, LogEvent[]>();
  private clock = Date.parse('2026-01-01T00:00:00.000Z');

  create(type: Conversation['type'], memberIds: string[], more: Partial<Conversation> = {}): string {
    const id = more.id ?? randomUUID();
    const at = this.now();
    const conversation: Conversation = {
      id,
      type,
      title: type === 'direct' ? null : 'A title',
      topic: null,
      visibility: 'private',
      archived: false,
      createdBy: memberIds[0] ?? null,
      createdAt: at,
      ...more,
      version: 0,
      messageCount: 0,
      memberCount: memberIds.length,
    };
    const members = memberIds.map<Member>((userId, i) => ({
      userId,
      role: i === 0 ? 'owner' : 'member',
      joinedAt: at,
    }));
    const truth: Truth = {
      conversation,
      messages: new Map(),
      members: new Map(members.map((member) => [member.userId, member])),
      deleted: false,
    };
    this.truth.set(id, truth);
    this.append(id, (row) => ({
      ...row,
      kind: 'conversation.created',
      conversation: shared(truth),
      members,
    }));
    return id;
  }

  send(conversationId: string, senderId: string, body: string, more: Partial<Message> = {}): Message {
    const { conversation, messages } = this.of(conversationId);
    conversation.messageCount += 1;
    const message: Message = {
      id: randomUUID(),
      conversationId,
      number: conversation.messageCount,
      version: conversation.version + 1,
      senderId,
      clientMessageId: `client-${conversation.messageCount}`,
      body,
      format: 'plain',
      mentions: [],
      attachments: [],
      reactions: [],
      pinned: false,
      createdAt: this.now(),
      ...more,
    };
    messages.set(message.number, message);
    this.appendMessage('message.created', message);
    return message;
  }

  edit(conversationId: string, number: number, body: string): Message {
    return this.change('message.updated', conversationId, number, { body, editedAt: this.now() });
  }

  pin(conversationId: string, number: number, pinned: boolean): Message {
    return this.change('message.updated', conversationId, number, { pinned });
  }

  react(conversationId: string, number: number, emoji: string, userId: string): Message {
    const reactions = [{ emoji, count: 1, userIds: [userId] }];
    return this.change('reaction.changed', conversationId, number, { reactions });
  }

  deleteMessage(conversationId: string, number: number): Message {
    const gone = { body: null, mentions: [], attachments: [], reactions: [], pinned: false };
    return this.change('message.deleted', conversationId, number, { ...gone, deletedAt: this.now() });
  }

  rename(conversationId: string, title: string): void {
    const truth = this.of(conversationId);
    truth.conversation.title = title;
    this.append(conversationId, (row) => ({
      ...row,
      kind: 'conversation.updated',
      conversation: shared(truth),
    }));
  }

  publish(conversationId: string, visibility: Conversation['visibility']): void {
    const truth = this.of(conversationId);
    truth.conversation.visibility = visibility;
    this.append(conversationId, (row) => ({
      ...row,
      kind: 'conversation.updated',
      conversation: shared(truth),
    }));
  }

  addMember(conversationId: string, userId: string): void {
    const { members } = this.of(conversationId);
    if (members.has(userId)) return;
    const member: Member = { userId, role: 'member', joinedAt: this.now() };
    members.set(userId, member);
    this.appendMember(conversationId, 'added', member);
  }

  setRole(conversationId: string, userId: string, role: Member['role']): void {
    const { members } = this.of(conversationId);
    const known = members.get(userId);
    if (!known || known.role === role) return;
    const member = { ...known, role };
    members.set(userId, member);
    this.appendMember(conversationId, 'role', member);
  }

  removeMember(conversationId: string, userId: string): void {
    const { members } = this.of(conversationId);
    const member = members.get(userId);
    if (!member) return;
    members.delete(userId);
    this.appendMember(conversationId, 'removed', member);
  }

  deleteConversation(conversationId: string): void {
    const truth = this.of(conversationId);
    truth.deleted = true;
    truth.members.clear();
    this.append(conversationId, (row) => ({ ...row, kind: 'conversation.deleted' }));
  }

  of(conversationId: string): Truth {
    const truth = this.truth.get(conversationId);
    if (!truth) throw new Error('There is no such conversation.');
    return truth;
  }

  /** The whole log, one batch. */
  all(): PartitionRows[] {
    return [...this.rows].map(([partition, rows]) => ({ partition, rows: [...rows] }));
  }

  /** Rows of each partition after these positions. */
  after(positions: Map<number, number>): PartitionRows[] {
    return this.all()
      .map(({ partition, rows }) => ({ partition, rows: rows.slice(positions.get(partition) ?? 0) }))
      .filter(({ rows }) => rows.length > 0);
  }

  private change(
    kind: 'message.updated' | 'message.deleted' | 'reaction.changed',
    conversationId: string,
    number: number,
    changed: Partial<Message>,
  ): Message {
    const { messages, conversation } = this.of(conversationId);
    const known = messages.get(number);
    if (!known) throw new Error('There is no such message.');
    const message = { ...known, ...changed, version: conversation.version + 1 };
    messages.set(number, message);
    this.appendMessage(kind, message);
    return message;
  }

  private appendMessage(
    kind: 'message.created' | 'message.updated' | 'message.deleted' | 'reaction.changed',
    message: Message,
  ): void {
    const conversationType = this.of(message.conversationId).conversation.type;
    this.append(message.conversationId, (row) => ({ ...row, kind, conversationType, message }));
  }

  private appendMember(conversationId: string, change: 'added' | 'role' | 'removed', member: Member): void {
    const truth = this.of(conversationId);
    truth.conversation.memberCount = truth.members.size;
    // Plain joins and leaves of channels move no version.
    const isSilent = truth.conversation.type === 'channel' && change !== 'role';
    const version = isSilent ? null : truth.conversation.version + 1;
    this.append(
      conversationId,
      (row) => ({
        ...row,
        kind: 'member.changed',
        version,
        change,
        member: { ...member, version },
        conversation: shared(truth),
      }),
      !isSilent,
    );
  }

  private append(
    conversationId: string,
    make: (row: {
      position: number;
      conversationId: string;
      version: number;
      at: string;
      actorId: string | null;
    }) => LogEvent,
    moves = true,
  ): void {
    const { conversation } = this.of(conversationId);
    if (moves) conversation.version += 1;
    const partition = partitionOf(conversationId);
    const rows = this.rows.get(partition) ?? [];
    this.rows.set(partition, rows);
    rows.push(
      make({
        position: rows.length + 1,
        conversationId,
        version: conversation.version,
        at: this.now(),
        actorId: null,
      }),
    );
  }

  private now(): string {
    return new Date((this.clock += 1000)).toISOString();
  }
}

function shared(truth: Truth): Conversation {
  return { ...truth.conversation };
}
