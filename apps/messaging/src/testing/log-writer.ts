import { partitionOf } from '@parley/contracts';
import { v7 } from 'uuid';
import { blank } from '../conversation/conversation.rules';
import type { ConversationState } from '../conversation/conversation.state';
import { toHead } from '../conversation/conversation.state';
import type { LogRow } from '../log/log.store';

const at = '2026-01-31T09:30:00.000Z';

/** The id of a conversation that belongs to this partition. */
function idIn(partition: number): string {
  for (;;) {
    const id = v7();
    if (partitionOf(id) === partition) return id;
  }
}

/** A conversation of one partition, whose rows it numbers as an owner does. */
export class Writer {
  readonly alice = v7();
  readonly bob = v7();
  readonly state: ConversationState;
  position = 0;

  constructor(readonly partition: number) {
    this.state = blank(idIn(partition));
    Object.assign(this.state, { createdAt: at, lastActivityAt: at, createdBy: this.alice, requestHash: 'r' });
  }

  private row(fields: Partial<LogRow>, event: object): LogRow {
    this.position += 1;
    this.state.version += 1;
    const { id: conversationId, version } = this.state;
    return {
      partition: this.partition,
      position: this.position,
      term: 1,
      conversationId,
      version,
      number: null,
      messageId: null,
      senderId: null,
      clientMessageId: null,
      requestHash: null,
      at,
      event: JSON.stringify({ position: this.position, conversationId, version, at, ...event }),
      reactors: null,
      conversation: toHead(this.state),
      memberships: [],
      mentions: [],
      ...fields,
    };
  }

  /** As an owner does who has read the tail: its one conversation has a row at every position. */
  standAt(position: number): void {
    this.position = position;
    this.state.version = position;
    this.state.messageCount = Math.max(0, position - 1);
    if (position === 0) this.state.members.clear();
  }

  created(): LogRow {
    for (const userId of [this.alice, this.bob])
      this.state.members.set(userId, { role: 'member', joinedAt: at });
    const memberships = [this.alice, this.bob].map((userId) => ({
      userId,
      role: 'member' as const,
      joinedAt: at,
      readBase: 0,
    }));
    return this.row({ memberships }, { kind: 'conversation.created' });
  }

  sent(clientMessageId: string, body = 'héllo "quoted" \\ {1,2} \n NULL'): LogRow {
    this.state.messageCount += 1;
    const id = v7();
    const version = this.state.version + 1;
    const { id: conversationId, messageCount: number } = this.state;
    const message = { id, conversationId, number, version, clientMessageId, body };
    this.state.lastMessageId = id;
    return this.row(
      { number: message.number, messageId: id, senderId: this.alice, clientMessageId, requestHash: 'h' },
      { kind: 'message.created', message },
    );
  }

  reacted(messageId: string): LogRow {
    const message = { id: messageId, conversationId: this.state.id, version: this.state.version + 1 };
    const reactors = JSON.stringify({ '👍': [this.bob] });
    return this.row({ messageId, reactors, requestHash: 'h' }, { kind: 'reaction.changed', message });
  }

  renamed(title: string): LogRow {
    this.state.title = title;
    return this.row({}, { kind: 'conversation.updated' });
  }

  removed(userId: string): LogRow {
    this.state.members.delete(userId);
    const memberships = [{ userId, role: null, joinedAt: at, readBase: this.state.messageCount }];
    return this.row({ memberships }, { kind: 'member.changed' });
  }

  deleted(): LogRow {
    this.state.isDeleted = true;
    this.state.members.clear();
    return this.row({}, { kind: 'conversation.deleted' });
  }
}
