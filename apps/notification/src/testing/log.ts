import { randomUUID } from 'node:crypto';
import {
  type Conversation,
  type LogEvent,
  type Message,
  type PartitionRows,
  partitionOf,
} from '@parley/contracts';

interface Truth {
  conversation: Conversation;
  members: Set<string>;
}

interface RowBase {
  position: number;
  conversationId: string;
  at: string;
  actorId: null;
}

/** A new id whose conversation falls into the same partition. */
export function neighbourOf(conversationId: string): string {
  return `${randomUUID().slice(0, -6)}${conversationId.slice(-6)}`;
}

/** Writes a log as messaging does, with dense positions, versions and numbers. Specs only. */
export class LogWriter {
  /** By partition, in rising position. */
  readonly rows = new Map<number, LogEvent[]>();
  /** What the next rows carry as their time, in milliseconds since 1970. */
  clock = () => Date.now();
  private readonly truth = new Map<string, Truth>();

  create(type: Conversation['type'], memberIds: string[], conversationId: string = randomUUID()): string {
    const at = this.now();
    const conversation: Conversation = {
      id: conversationId,
      type,
      title: null,
      topic: null,
      visibility: 'private',
      archived: false,
      createdBy: memberIds[0] ?? null,
      createdAt: at,
      version: 1,
      messageCount: 0,
      memberCount: memberIds.length,
    };
    this.truth.set(conversationId, { conversation, members: new Set(memberIds) });
    const members = memberIds.map((userId) => ({ userId, role: 'member' as const, joinedAt: at }));
    this.append(conversationId, (row) => ({
      ...row,
      kind: 'conversation.created',
      version: 1,
      conversation: { ...conversation },
      members,
    }));
    return conversationId;
  }

  send(conversationId: string, senderId: string, mentions: string[] = []): Message {
    const { conversation } = this.of(conversationId);
    conversation.version += 1;
    conversation.messageCount += 1;
    const { type: conversationType, version, messageCount: number } = conversation;
    const message: Message = {
      id: randomUUID(),
      conversationId,
      number,
      version,
      senderId,
      clientMessageId: `client-${number}`,
      body: 'Hello',
      format: 'plain',
      mentions,
      attachments: [],
      reactions: [],
      pinned: false,
      createdAt: this.now(),
    };
    this.append(conversationId, (row) => ({
      ...row,
      kind: 'message.created',
      version,
      conversationType,
      message,
    }));
    return message;
  }

  add(conversationId: string, userId: string): void {
    this.of(conversationId).members.add(userId);
    this.appendMember(conversationId, userId, 'added');
  }

  remove(conversationId: string, userId: string): void {
    this.of(conversationId).members.delete(userId);
    this.appendMember(conversationId, userId, 'removed');
  }

  delete(conversationId: string): void {
    const version = (this.of(conversationId).conversation.version += 1);
    this.append(conversationId, (row) => ({ ...row, kind: 'conversation.deleted', version }));
  }

  /** A row that nobody can apply, as a bug of messaging would write it. */
  breakRow(conversationId: string, row: object): void {
    this.append(conversationId, (base) => ({ ...base, ...row }) as LogEvent);
  }

  /** Breaks the newest row of the conversation's partition; what is returned mends it. */
  breakLast(conversationId: string, fault: object = { kind: 'of.later' }): () => void {
    const rows = this.rows.get(partitionOf(conversationId)) ?? [];
    const index = rows.length - 1;
    const sound = rows[index] as LogEvent;
    rows[index] = { ...sound, ...fault } as LogEvent;
    return () => (rows[index] = sound);
  }

  /** Rows of each partition after these positions. */
  after(positions: ReadonlyMap<number, number> = new Map()): PartitionRows[] {
    return [...this.rows]
      .map(([partition, rows]) => ({ partition, rows: rows.slice(positions.get(partition) ?? 0) }))
      .filter(({ rows }) => rows.length > 0);
  }

  private of(conversationId: string): Truth {
    const truth = this.truth.get(conversationId);
    if (!truth) throw new Error('There is no such conversation.');
    return truth;
  }

  private appendMember(conversationId: string, userId: string, change: 'added' | 'removed'): void {
    const { conversation, members } = this.of(conversationId);
    conversation.memberCount = members.size;
    const version = conversation.type === 'channel' ? null : (conversation.version += 1);
    this.append(conversationId, (row) => ({
      ...row,
      kind: 'member.changed',
      version,
      change,
      member: { userId, role: 'member', joinedAt: row.at, version },
      conversation: { ...conversation },
    }));
  }

  private append(conversationId: string, make: (row: RowBase) => LogEvent): void {
    const partition = partitionOf(conversationId);
    const rows = this.rows.get(partition) ?? [];
    this.rows.set(partition, rows);
    rows.push(make({ position: rows.length + 1, conversationId, at: this.now(), actorId: null }));
  }

  private now(): string {
    return new Date(this.clock()).toISOString();
  }
}
