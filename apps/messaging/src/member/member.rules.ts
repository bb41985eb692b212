import type { CommandData, LogEvent } from '@parley/contracts';
import { limits, ParleyError } from '@parley/contracts';
import type { ConversationState, MemberState } from '../conversation/conversation.state';
import { toConversation, toMember } from '../conversation/conversation.state';
import type { Decision, DecisionContext } from '../log/decision';
import { noChange } from '../log/decision';
import { checkMember } from '../message/message.rules';

type Change = 'added' | 'role' | 'removed';

function refuseDirect(state: ConversationState): void {
  if (state.type === 'direct')
    throw new ParleyError('forbidden', 'The members of a direct conversation never change.');
}

function roleOf(state: ConversationState, userId: string): MemberState['role'] | undefined {
  return state.members.get(userId)?.role;
}

function membersMax(state: ConversationState): number {
  return state.type === 'channel' ? limits.channelMembersMax : limits.groupMembersMax;
}

/** Joins and leaves of a channel move no version; every other change of members does. */
function changed(
  state: ConversationState,
  change: Change,
  userId: string,
  member: MemberState,
  context: DecisionContext,
  actorId: string,
): Decision {
  const isPlain = state.type === 'channel' && change !== 'role';
  if (change === 'removed') state.members.delete(userId);
  else state.members.set(userId, member);
  if (!isPlain) state.version += 1;
  const version = isPlain ? null : state.version;
  const event = {
    kind: 'member.changed',
    conversationId: state.id,
    version,
    at: context.now,
    actorId,
    change,
    member: { ...toMember(userId, member), version },
    conversation: toConversation(state),
  } as Omit<LogEvent, 'position'>;
  const membership = {
    userId,
    role: change === 'removed' ? null : member.role,
    joinedAt: member.joinedAt,
    readBase: state.messageCount,
  };
  return {
    event,
    memberships: [membership],
    mentions: [],
    reply: { member: toMember(userId, member), version: state.version, created: change === 'added' },
  };
}

function add(
  state: ConversationState,
  userId: string,
  role: MemberState['role'],
  context: DecisionContext,
  actorId: string,
) {
  if (state.archived) throw new ParleyError('forbidden', 'The conversation is archived.');
  if (state.members.size >= membersMax(state)) {
    throw new ParleyError('forbidden', 'The conversation has as many members as it can hold.');
  }
  return changed(state, 'added', userId, { role, joinedAt: context.now }, context, actorId);
}

/** Any member brings others in; only owners and admins bring them in as admins. Who is there already stays as he is. */
export function put(
  state: ConversationState,
  data: CommandData<'member.put'>,
  context: DecisionContext,
): Decision {
  checkMember(state, data.actorId);
  refuseDirect(state);
  const present = state.members.get(data.userId);
  if (present) {
    if (data.role !== undefined && data.role !== present.role)
      return setRole(state, { ...data, role: data.role }, context);
    return noChange({ member: toMember(data.userId, present), version: state.version, created: false });
  }
  if (data.role === 'owner' || (data.role === 'admin' && roleOf(state, data.actorId) === 'member')) {
    throw new ParleyError('forbidden', 'Only owners and admins give this role.');
  }
  return add(state, data.userId, data.role ?? 'member', context, data.actorId);
}

/** Owners give any role, admins make members admins and back. The last owner stays one. */
export function setRole(
  state: ConversationState,
  data: CommandData<'member.role'>,
  context: DecisionContext,
): Decision {
  checkMember(state, data.actorId);
  refuseDirect(state);
  const target = state.members.get(data.userId);
  if (!target) throw new ParleyError('not_found', 'There is no such member.');
  const actorRole = roleOf(state, data.actorId);
  const touchesOwner = target.role === 'owner' || data.role === 'owner';
  if (actorRole === 'member' || (actorRole === 'admin' && touchesOwner)) {
    throw new ParleyError('forbidden', 'Your role does not allow this.');
  }
  if (target.role === data.role) {
    return noChange({ member: toMember(data.userId, target), version: state.version, created: false });
  }
  if (target.role === 'owner' && owners(state) === 1) {
    throw new ParleyError('conflict', 'Make somebody else an owner first.');
  }
  return changed(state, 'role', data.userId, { ...target, role: data.role }, context, data.actorId);
}

/** Leaving, or removing somebody of a lower role. The last owner leaves last. */
export function remove(
  state: ConversationState,
  data: CommandData<'member.remove'>,
  context: DecisionContext,
): Decision {
  const isLeaving = data.userId === data.actorId;
  const target = state.members.get(data.userId);
  // A repeated leave is answered, with no version: whether there is such a conversation is not his to know any more.
  if (isLeaving && !target) return noChange({ version: 0 });
  checkMember(state, data.actorId);
  refuseDirect(state);
  if (!target) return noChange({ version: state.version });
  if (!isLeaving) {
    const actorRole = roleOf(state, data.actorId);
    const allowed = actorRole === 'owner' || (actorRole === 'admin' && target.role === 'member');
    if (!allowed) throw new ParleyError('forbidden', 'Your role does not allow this.');
  }
  if (target.role === 'owner' && owners(state) === 1 && state.members.size > 1) {
    throw new ParleyError('conflict', 'Make somebody else an owner first.');
  }
  const decision = changed(state, 'removed', data.userId, target, context, data.actorId);
  decision.reply = { version: state.version };
  return decision;
}

/**
 * Anybody joins a public channel; whoever is in already stays. One that everybody has left belongs to whoever comes next: it
 * had nobody else who could ever change, moderate or delete it.
 */
export function join(
  state: ConversationState,
  data: CommandData<'channel.join'>,
  context: DecisionContext,
): Decision {
  const isMember = state.members.has(data.actorId);
  const isOpen = state.type === 'channel' && state.visibility === 'public';
  if (state.isDeleted || (!isMember && !isOpen))
    throw new ParleyError('not_found', 'There is no such channel.');
  if (isMember) return noChange({ conversation: toConversation(state) });
  const role = state.members.size === 0 ? 'owner' : 'member';
  const decision = add(state, data.actorId, role, context, data.actorId);
  decision.reply = { conversation: toConversation(state) };
  return decision;
}

function owners(state: ConversationState): number {
  let count = 0;
  for (const member of state.members.values()) if (member.role === 'owner') count += 1;
  return count;
}
