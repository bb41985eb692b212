import type { LogEvent, PartitionRows } from '@parley/contracts';
import type { ConversationState } from './conversation.cache';

type MessageCreated = Extract<LogEvent, { kind: 'message.created' }>;
type ConversationCreated = Extract<LogEvent, { kind: 'conversation.created' }>;
type MemberChanged = Extract<LogEvent, { kind: 'member.changed' }>;

/** Somebody to be told of a message: surely for a mention, if offline for a plain message. */
export interface Addressee {
  userId: string;
  row: MessageCreated;
}

/** A conversation as it is to be stored. */
export interface ConversationRow {
  id: string;
  partition: number;
  type: string;
  memberCount: number;
}

/** What is known before the first row of a batch. */
export interface Known {
  /** Of every conversation with a new message in the batch; absent where there is none. */
  states: Map<string, ConversationState>;
  /** `conversation user` of those mentioned in conversations whose members are not held. */
  mentionedMembers: ReadonlySet<string>;
}

export const pairKey = (conversationId: string, userId: string) => `${conversationId} ${userId}`;

/**
 * Goes through the rows of one batch in their order and collects what is to be stored and who is to be told. Each message
 * meets the memberships as they were when it was sent, also those that changed within the batch. Touches nothing outside.
 */
export class BatchWalk {
  readonly mentioned: Addressee[] = [];
  readonly members: Addressee[] = [];
  readonly conversations = new Map<string, ConversationRow>();
  /** Their memberships go before those below come. */
  readonly deleted = new Set<string>();
  /** Conversation to user to whether they are a member after the batch. */
  readonly memberships = new Map<string, Map<string, boolean>>();
  /** Conversations that changed and are known, with their new state. */
  readonly changed = new Map<string, ConversationState | undefined>();
  /** Messages of conversations that nobody told about: a hole in the log. */
  unknown = 0;

  constructor(
    private readonly known: Known,
    private readonly smallGroupMembersMax: number,
  ) {}

  walk(batch: PartitionRows[]): this {
    for (const { partition, rows } of batch) {
      for (const row of rows) {
        if (row.kind === 'message.created') this.onMessage(row);
        else if (row.kind === 'member.changed') this.onMember(row, partition);
        else if (row.kind === 'conversation.created') this.onCreated(row, partition);
        else if (row.kind === 'conversation.deleted') this.onDeleted(row.conversationId);
      }
    }
    return this;
  }

  /** Whether anything but entries and positions is to be stored. */
  get changesMemberships(): boolean {
    return this.conversations.size > 0 || this.deleted.size > 0 || this.memberships.size > 0;
  }

  private onMessage(row: MessageCreated): void {
    const { conversationId, message } = row;
    const state = this.stateOf(conversationId);
    if (!state) {
      this.unknown += 1;
      return;
    }
    const { senderId, mentions } = message;
    for (const userId of mentions) {
      if (userId !== senderId && this.isMember(conversationId, state, userId))
        this.mentioned.push({ userId, row });
    }
    if (!state.members || !this.isSmall(state)) return;
    for (const userId of state.members) {
      if (userId !== senderId && !mentions.includes(userId)) this.members.push({ userId, row });
    }
  }

  private onCreated(row: ConversationCreated, partition: number): void {
    const { id, type, memberCount } = row.conversation;
    this.conversations.set(id, { id, partition, type, memberCount });
    this.memberships.set(id, new Map(row.members.map(({ userId }) => [userId, true])));
    this.changed.set(id, { type, memberCount, members: new Set(row.members.map(({ userId }) => userId)) });
  }

  private onMember(row: MemberChanged, partition: number): void {
    if (row.change === 'role') return;
    const { id, type, memberCount } = row.conversation;
    const { userId } = row.member;
    const isMember = row.change === 'added';
    this.conversations.set(id, { id, partition, type, memberCount });
    const ofConversation = this.memberships.get(id) ?? new Map<string, boolean>();
    this.memberships.set(id, ofConversation.set(userId, isMember));
    const before = this.stateOf(id);
    if (!before) {
      // Not at hand: whoever needs it next reads it with this change.
      this.changed.set(id, undefined);
      return;
    }
    let { members } = before;
    if (members) {
      const after = new Set(members);
      if (isMember) after.add(userId);
      else after.delete(userId);
      members = after;
    }
    this.changed.set(id, { type, memberCount, members });
  }

  private onDeleted(id: string): void {
    this.deleted.add(id);
    this.conversations.delete(id);
    this.memberships.delete(id);
    this.changed.set(id, undefined);
  }

  private stateOf(id: string): ConversationState | undefined {
    return this.changed.has(id) ? this.changed.get(id) : this.known.states.get(id);
  }

  private isMember(conversationId: string, state: ConversationState, userId: string): boolean {
    if (state.members) return state.members.has(userId);
    const changed = this.memberships.get(conversationId)?.get(userId);
    return changed ?? this.known.mentionedMembers.has(pairKey(conversationId, userId));
  }

  private isSmall({ type, memberCount }: ConversationState): boolean {
    return type === 'direct' || (type === 'group' && memberCount <= this.smallGroupMembersMax);
  }
}
