import type { CommandData, Conversation, LogEvent, Role } from '@parley/contracts';
import { ParleyError } from '@parley/contracts';
import type { Decision, DecisionContext } from '../log/decision';
import { noChange } from '../log/decision';
import { checkMember } from '../message/message.rules';
import type { ConversationState } from './conversation.state';
import { toConversation, toMember } from './conversation.state';

/** The state of a conversation that nobody has created yet. */
export function blank(id: string): ConversationState {
  return {
    id,
    type: 'group',
    title: null,
    topic: null,
    visibility: 'private',
    archived: false,
    createdBy: null,
    createdAt: '',
    version: 0,
    messageCount: 0,
    lastActivityAt: '',
    lastMessageId: null,
    isDeleted: false,
    requestHash: '',
    members: new Map(),
  };
}

/** The same request again answers with the conversation as it is now; the same key for another request is refused. */
export function create(
  state: ConversationState,
  data: CommandData<'conversation.create'>,
  context: DecisionContext,
): Decision {
  if (state.version > 0) {
    if (state.type !== 'direct' && state.requestHash !== data.requestHash) {
      throw new ParleyError('idempotency_mismatch', 'This Idempotency-Key belongs to another request.');
    }
    checkMember(state, data.actorId);
    return noChange({ conversation: toConversation(state), created: false });
  }
  Object.assign(state, {
    type: data.type,
    title: data.title,
    topic: data.topic,
    visibility: data.visibility,
    createdBy: data.actorId,
    createdAt: context.now,
    lastActivityAt: context.now,
    version: 1,
    requestHash: data.requestHash,
  });
  const roleFor = (userId: string): Role =>
    userId === data.actorId && data.type !== 'direct' ? 'owner' : 'member';
  for (const userId of new Set([data.actorId, ...data.memberIds])) {
    state.members.set(userId, { role: roleFor(userId), joinedAt: context.now });
  }
  const members = [...state.members].map(([userId, member]) => toMember(userId, member));
  const decision = changed(state, 'conversation.created', data.actorId, context, { members });
  decision.memberships = members.map((member) => ({ ...member, readBase: 0 }));
  decision.reply = { conversation: toConversation(state), created: true };
  return decision;
}

function changed(
  state: ConversationState,
  kind: LogEvent['kind'],
  actorId: string,
  context: DecisionContext,
  more: object,
): Decision {
  const conversation: Conversation = toConversation(state);
  const event = {
    kind,
    conversationId: state.id,
    version: state.version,
    at: context.now,
    actorId,
    conversation,
    ...more,
  } as unknown as Omit<LogEvent, 'position'>;
  return { event, memberships: [], mentions: [], reply: { conversation } };
}

/** Title and topic: any member of a group, moderators of a channel. Visibility and archiving: moderators. */
export function update(
  state: ConversationState,
  data: CommandData<'conversation.update'>,
  context: DecisionContext,
): Decision {
  checkMember(state, data.actorId);
  if (state.type === 'direct')
    throw new ParleyError('forbidden', 'A direct conversation has nothing to change.');
  const role = state.members.get(data.actorId)?.role;
  const { change } = data;
  const needsModerator =
    state.type === 'channel' || change.visibility !== undefined || change.archived !== undefined;
  if (needsModerator && role === 'member')
    throw new ParleyError('forbidden', 'Your role does not allow this.');
  if (state.type === 'group' && change.visibility === 'public') {
    throw new ParleyError('invalid_request', 'Only channels can be public.');
  }
  if (state.type === 'channel' && change.title === null) {
    throw new ParleyError('invalid_request', 'A channel has a title.');
  }
  const differs = Object.entries(change).some(
    ([field, value]) => state[field as keyof typeof change] !== value,
  );
  if (!differs) return noChange({ conversation: toConversation(state) });
  Object.assign(state, change);
  state.version += 1;
  return changed(state, 'conversation.updated', data.actorId, context, {});
}

/**
 * Only owners; a direct conversation belongs to both and stays. Its memberships are ended afterwards (`MembershipEnder`):
 * they may be too many for one append.
 */
export function remove(
  state: ConversationState,
  data: CommandData<'conversation.delete'>,
  context: DecisionContext,
): Decision {
  checkMember(state, data.actorId);
  if (state.members.get(data.actorId)?.role !== 'owner') {
    throw new ParleyError('forbidden', 'Only owners delete a conversation.');
  }
  state.isDeleted = true;
  state.members.clear();
  state.version += 1;
  const event = {
    kind: 'conversation.deleted',
    conversationId: state.id,
    version: state.version,
    at: context.now,
    actorId: data.actorId,
  } as Omit<LogEvent, 'position'>;
  return { event, memberships: [], mentions: [], reply: { version: state.version } };
}
