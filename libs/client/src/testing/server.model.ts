import type {
  AccountChange,
  Conversation,
  ConversationDelta,
  Member,
  Message,
  MyConversation,
  ServerPayload,
  SyncPayload,
  SyncResult,
} from '@parley/contracts';
import type { DurableEvent } from '../store/durable-event';

/** What the model tells the sockets of `ME`. */
export type ModelEvent =
  | DurableEvent
  | { name: 'conversation:removed'; payload: ServerPayload<'conversation:removed'> }
  | { name: 'account:changed'; payload: ServerPayload<'account:changed'> };

export const ME = '00000000-0000-7000-8000-000000000001';
export const OTHERS = [2, 3, 4].map((n) => `00000000-0000-7000-8000-00000000000${n}`);
const PAGE = 4;
const TOO_FAR = 12;
const RESET_MESSAGES = 3;
const AT = '2026-01-01T00:00:00.000Z';

interface Room {
  shared: Conversation;
  members: Map<string, Member & { version: number; removed: boolean }>;
  messages: Message[];
  /** Version of the last change of the shared part. */
  sharedVersion: number;
  mine:
    | { joinedVersion: number; firstNumber: number; readNumber: number; unreadFrom?: number; stamp: number }
    | undefined;
  leftStamp: number;
}

const copy = <T>(value: T): T => structuredClone(value);

/** The server as the contract describes it, for one user, in memory and at once. Only for tests. */
export class ServerModel {
  readonly rooms = new Map<string, Room>();
  epoch = 'epoch-1';
  private stamp = 1;
  private ids = 100;
  readonly outbox: ModelEvent[] = [];

  create(): string {
    const id = this.newId();
    const shared: Conversation = {
      id,
      type: 'group',
      title: 'first',
      topic: null,
      visibility: 'private',
      archived: false,
      createdBy: OTHERS[0]!,
      createdAt: AT,
      version: 1,
      messageCount: 0,
      memberCount: 2,
    };
    const entry = (userId: string) => ({
      userId,
      role: 'member' as const,
      joinedAt: AT,
      version: 1,
      removed: false,
    });
    const members = new Map([ME, OTHERS[0]!].map((userId) => [userId, entry(userId)]));
    this.stamp += 1;
    const mine = { joinedVersion: 1, firstNumber: 1, readNumber: 0, stamp: this.stamp };
    this.rooms.set(id, { shared, members, messages: [], sharedVersion: 1, mine, leftStamp: 0 });
    this.tell({
      name: 'conversation:created',
      payload: { conversationId: id, version: 1, conversation: copy(shared) },
    });
    this.tell({ name: 'account:changed', payload: {} });
    return id;
  }

  send(id: string, senderId: string): Message {
    const room = this.rooms.get(id)!;
    const version = this.bump(room);
    room.shared.messageCount += 1;
    const number = room.shared.messageCount;
    const message: Message = {
      id: this.newId(),
      conversationId: id,
      number,
      version,
      senderId,
      clientMessageId: `m${number}`,
      body: `body ${number}`,
      format: 'plain',
      mentions: number % 3 === 0 && senderId !== ME ? [ME] : [],
      attachments: [],
      reactions: [],
      pinned: false,
      createdAt: AT,
    };
    room.messages.push(message);
    if (senderId === ME && room.mine) room.mine.readNumber = number;
    this.tellMember(room, {
      name: 'message:created',
      payload: { conversationId: id, version, message: copy(message) },
    });
    return copy(message);
  }

  change(id: string, pick: number, kind: 'edit' | 'delete' | 'react'): void {
    const room = this.rooms.get(id)!;
    const message = room.messages[pick % Math.max(1, room.messages.length)];
    if (!message || message.deletedAt) return;
    const version = this.bump(room);
    message.version = version;
    if (kind === 'edit') Object.assign(message, { body: `edited ${version}`, editedAt: AT });
    if (kind === 'delete') Object.assign(message, { body: null, deletedAt: AT, mentions: [], reactions: [] });
    if (kind === 'react') message.reactions = [{ emoji: 'x', count: version, userIds: [] }];
    const name = ({ edit: 'message:updated', delete: 'message:deleted', react: 'reaction:changed' } as const)[
      kind
    ];
    if (message.number < (room.mine?.firstNumber ?? 0)) {
      // Nobody may be told of what they may not read, but the version moved.
      return;
    }
    this.tellMember(room, { name, payload: { conversationId: id, version, message: copy(message) } });
  }

  retitle(id: string): void {
    const room = this.rooms.get(id)!;
    const version = this.bump(room);
    room.shared.title = `title ${version}`;
    room.sharedVersion = version;
    const payload = { conversationId: id, version, conversation: copy(room.shared) };
    this.tellMember(room, { name: 'conversation:updated', payload });
  }

  member(id: string, userId: string, change: 'added' | 'role' | 'removed', hidden: boolean): void {
    const room = this.rooms.get(id)!;
    const known = room.members.get(userId);
    const isThere = known !== undefined && !known.removed;
    if (isThere === (change === 'added')) return;
    const version = this.bump(room);
    const role = change === 'role' ? (known?.role === 'admin' ? 'member' : 'admin') : 'member';
    const member = { userId, role, joinedAt: AT } as const;
    room.members.set(userId, { ...member, version, removed: change === 'removed' });
    room.shared.memberCount += change === 'added' ? 1 : change === 'removed' ? -1 : 0;
    if (userId === ME) this.moveMe(room, change, version, hidden);
    this.tellMember(room, {
      name: 'member:changed',
      payload: { conversationId: id, version, change, member },
    });
  }

  read(id: string): void {
    const room = this.rooms.get(id)!;
    if (!room.mine || room.mine.readNumber === room.shared.messageCount) return;
    room.mine.readNumber = room.shared.messageCount;
    this.stamp += 1;
    room.mine.stamp = this.stamp;
    this.tell({ name: 'account:changed', payload: {} });
  }

  ready(): ServerPayload<'ready'> {
    return {
      epoch: this.epoch,
      protocol: 1,
      serverTime: AT,
      user: { id: ME, username: 'me', displayName: 'Me' },
      sessionId: ME,
      node: 'node',
      accountCursor: String(this.stamp),
      limits: {},
      conversations: [...this.rooms.values()].filter((room) => room.mine).map((room) => this.mineOf(room)),
      nextCursor: null,
    };
  }

  positions(): Record<string, number> {
    const rooms = [...this.rooms.values()].filter((room) => room.mine);
    return Object.fromEntries(rooms.map((room) => [room.shared.id, room.shared.version]));
  }

  sync(payload: SyncPayload): SyncResult {
    const conversations: ConversationDelta[] = [];
    const removed: string[] = [];
    for (const [id, version] of Object.entries(payload.versions)) {
      const room = this.rooms.get(id);
      if (room?.mine)
        conversations.push(this.delta(room, payload.epoch === this.epoch ? version : 0, version));
      else removed.push(id);
    }
    return { epoch: this.epoch, account: this.account(payload.accountCursor), conversations, removed };
  }

  private account(cursor: string | null): SyncResult['account'] {
    const { from, next, all } = readCursor(cursor, this.stamp);
    const entries = [...this.rooms.values()]
      // Whoever asks for all has nothing that could have been left.
      .filter((room) => room.mine || !all)
      .map((room) => ({ room, stamp: room.mine ? room.mine.stamp : room.leftStamp }))
      .filter((entry) => entry.stamp >= from)
      .sort((a, b) => a.stamp - b.stamp);
    const page = entries.slice(0, PAGE);
    const more = entries.length > page.length;
    const changes = page.map(({ room }): AccountChange =>
      room.mine
        ? { state: 'joined', conversationId: room.shared.id, conversation: this.mineOf(room) }
        : { state: 'left', conversationId: room.shared.id },
    );
    const further: AccountCursor = { from: (page[page.length - 1]?.stamp ?? 0) + 1, next, all };
    return { cursor: more ? JSON.stringify(further) : String(next), more, changes };
  }

  private delta(room: Room, version: number, asked: number): ConversationDelta {
    const head = room.shared.version;
    const { firstNumber, joinedVersion } = room.mine!;
    const readable = room.messages.filter((message) => message.number >= firstNumber);
    const base = { id: room.shared.id, head, conversation: copy(room.shared) };
    if (asked > 0 && (head - version > TOO_FAR || version < joinedVersion)) {
      const members = [...room.members.values()].filter((member) => !member.removed).map(publicMember);
      const messages = copy(readable.slice(-RESET_MESSAGES));
      return { ...base, version: head, more: false, reset: true, messages, members, membersRemoved: [] };
    }
    const changed = [
      ...readable.map((message) => ({ version: message.version, message, member: undefined })),
      ...[...room.members.values()].map((member) => ({
        version: member.version,
        message: undefined,
        member,
      })),
    ]
      .filter((entity) => entity.version > version)
      .sort((a, b) => a.version - b.version);
    const cut = changed[PAGE - 1]?.version ?? Infinity;
    const page = changed.filter((entity) => entity.version <= cut);
    const more = page.length < changed.length;
    const members = page.flatMap(({ member }) => (member ? [member] : []));
    return {
      ...base,
      version: more ? cut : head,
      more,
      reset: false,
      messages: copy(page.flatMap(({ message }) => (message ? [message] : []))),
      members: members.filter((member) => !member.removed).map(publicMember),
      membersRemoved: members.filter((member) => member.removed).map((member) => member.userId),
      conversation: room.sharedVersion > version ? base.conversation : undefined,
    };
  }

  private mineOf(room: Room): MyConversation {
    const mine = room.mine!;
    const readable = room.messages.filter((message) => message.number >= mine.firstNumber);
    const unreadMentions = readable.filter(
      (m) => m.number > mine.readNumber && m.mentions.includes(ME),
    ).length;
    return {
      ...copy(room.shared),
      role: room.members.get(ME)!.role,
      firstNumber: mine.firstNumber,
      readNumber: mine.readNumber,
      unread: room.shared.messageCount - mine.readNumber,
      unreadMentions,
      unreadFrom: mine.unreadFrom ?? null,
      notifications: { level: 'all', mutedUntil: null },
      lastMessage: copy(readable.at(-1) ?? null),
      lastActivityAt: AT,
    };
  }

  private moveMe(room: Room, change: 'added' | 'role' | 'removed', version: number, hidden: boolean): void {
    if (change === 'role') return;
    this.stamp += 1;
    const { id, messageCount } = room.shared;
    if (change === 'added') {
      const firstNumber = hidden ? messageCount + 1 : 1;
      room.mine = { joinedVersion: version, firstNumber, readNumber: messageCount, stamp: this.stamp };
    } else {
      room.mine = undefined;
      room.leftStamp = this.stamp;
      this.tell({ name: 'conversation:removed', payload: { conversationId: id, version } });
    }
    this.tell({ name: 'account:changed', payload: {} });
  }

  private bump(room: Room): number {
    room.shared.version += 1;
    return room.shared.version;
  }

  private tellMember(room: Room, event: ModelEvent): void {
    if (room.mine) this.tell(event);
  }

  private tell(event: ModelEvent): void {
    this.outbox.push(event);
  }

  private newId(): string {
    this.ids += 1;
    return `00000000-0000-7000-8000-${String(this.ids).padStart(12, '0')}`;
  }
}

function publicMember({ userId, role, joinedAt }: Member): Member {
  return { userId, role, joinedAt };
}

/** `next` is where the reading after this one begins: as the first page saw things, so that nothing falls in between. */
interface AccountCursor {
  from: number;
  next: number;
  /** Everything that is joined, and nothing of what is not. */
  all: boolean;
}

function readCursor(cursor: string | null, stamp: number): AccountCursor {
  if (cursor === null) return { from: 0, next: stamp, all: true };
  const known = JSON.parse(cursor) as number | AccountCursor;
  return typeof known === 'number' ? { from: known, next: stamp, all: false } : known;
}
