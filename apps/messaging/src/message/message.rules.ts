import type { CommandData, LogEvent, Message } from '@parley/contracts';
import { limits, ParleyError } from '@parley/contracts';
import type { ConversationState, MessageState } from '../conversation/conversation.state';
import type { Decision, DecisionContext } from '../log/decision';
import { noChange } from '../log/decision';

/** May they write here at all? Archived conversations are for reading. */
function checkWriter(state: ConversationState, userId: string): void {
  checkMember(state, userId);
  if (state.archived) throw new ParleyError('forbidden', 'The conversation is archived.');
}

/** To somebody who is no member a conversation does not exist. */
export function checkMember(state: ConversationState, userId: string): void {
  if (state.isDeleted || !state.members.has(userId)) {
    throw new ParleyError('not_found', 'There is no such conversation.');
  }
}

function isModerator(state: ConversationState, userId: string): boolean {
  const role = state.members.get(userId)?.role;
  return role === 'owner' || role === 'admin';
}

function needMessage(context: DecisionContext, messageId: string, state: ConversationState): MessageState {
  const found = context.messages.get(messageId);
  if (!found || found.message.conversationId !== state.id) {
    throw new ParleyError('not_found', 'There is no such message in this conversation.');
  }
  return found;
}

function needLiving(context: DecisionContext, messageId: string, state: ConversationState): MessageState {
  const found = needMessage(context, messageId, state);
  if (found.message.deletedAt) throw new ParleyError('conflict', 'The message was deleted.');
  return found;
}

function checkVersion(found: MessageState, ifVersion: number | undefined): void {
  if (ifVersion !== undefined && found.message.version !== ifVersion) {
    throw new ParleyError('conflict', `The message is at version ${found.message.version}.`);
  }
}

type MessageEventKind = 'message.created' | 'message.updated' | 'message.deleted' | 'reaction.changed';

function changed(
  state: ConversationState,
  kind: MessageEventKind,
  next: MessageState,
  context: DecisionContext,
  actorId: string,
): Decision {
  const { message } = next;
  const event: Omit<LogEvent, 'position'> = {
    kind,
    conversationId: state.id,
    version: message.version,
    at: context.now,
    actorId,
    conversationType: state.type,
    message,
  } as Omit<LogEvent, 'position'>;
  state.version = message.version;
  return { event, message: next, memberships: [], mentions: [], reply: { message } };
}

/** Refuses a send that the state does not allow; changes nothing. */
export function checkSend(
  state: ConversationState,
  data: CommandData<'message.send'>,
  context: DecisionContext,
): void {
  checkWriter(state, data.actorId);
  for (const id of [data.replyTo, data.threadId]) if (id !== undefined) needMessage(context, id, state);
}

export function send(
  state: ConversationState,
  data: CommandData<'message.send'>,
  context: DecisionContext,
): Decision {
  checkSend(state, data, context);
  const message: Message = {
    id: context.newId(),
    conversationId: state.id,
    number: state.messageCount + 1,
    version: state.version + 1,
    senderId: data.actorId,
    clientMessageId: data.clientMessageId,
    body: data.body,
    format: data.format,
    mentions: data.mentions,
    attachments: data.attachments,
    reactions: [],
    pinned: false,
    createdAt: context.now,
  };
  if (data.replyTo !== undefined) message.replyTo = data.replyTo;
  if (data.threadId !== undefined) message.threadId = data.threadId;
  state.messageCount = message.number;
  state.lastMessageId = message.id;
  state.lastActivityAt = context.now;
  const next = { message, requestHash: context.requestHash };
  const decision = changed(state, 'message.created', next, context, data.actorId);
  decision.reply = { message, created: true };
  decision.mentions = data.mentions.filter((userId) => userId !== data.actorId && state.members.has(userId));
  return decision;
}

export function edit(
  state: ConversationState,
  data: CommandData<'message.edit'>,
  context: DecisionContext,
): Decision {
  checkWriter(state, data.actorId);
  const found = needLiving(context, data.messageId, state);
  if (found.message.senderId !== data.actorId)
    throw new ParleyError('forbidden', 'Only its sender may edit a message.');
  const { body, format, mentions, attachments } = data;
  const wanted = { body, format, mentions, attachments };
  const differs = Object.entries(wanted).some(
    ([field, value]) =>
      value !== undefined && JSON.stringify(value) !== JSON.stringify(found.message[field as keyof Message]),
  );
  if (!differs) return noChange({ message: found.message });
  checkVersion(found, data.ifVersion);
  const message: Message = { ...found.message, version: state.version + 1, editedAt: context.now };
  if (body !== undefined) message.body = body;
  if (format !== undefined) message.format = format;
  if (mentions !== undefined) message.mentions = mentions;
  if (attachments !== undefined) message.attachments = attachments;
  if (!message.body?.trim() && message.attachments.length === 0) {
    throw new ParleyError('invalid_request', 'A message needs a body or an attachment.');
  }
  const decision = changed(state, 'message.updated', { ...found, message }, context, data.actorId);
  return { ...decision, ...mentionChange(state, found.message, message) };
}

/** Nothing where the same people are mentioned as before. */
function mentionChange(
  state: ConversationState,
  before: Message,
  after: Message,
): Pick<Decision, 'mentionChange'> {
  const added = after.mentions.filter(
    (userId) => !before.mentions.includes(userId) && userId !== after.senderId && state.members.has(userId),
  );
  const gone = before.mentions.filter((userId) => !after.mentions.includes(userId));
  return added.length + gone.length === 0 ? {} : { mentionChange: { number: after.number, added, gone } };
}

export function remove(
  state: ConversationState,
  data: CommandData<'message.delete'>,
  context: DecisionContext,
): Decision {
  checkMember(state, data.actorId);
  const found = needMessage(context, data.messageId, state);
  if (found.message.senderId !== data.actorId && !isModerator(state, data.actorId)) {
    throw new ParleyError('forbidden', 'Only its sender or a moderator may delete a message.');
  }
  if (found.message.deletedAt) return noChange({ message: found.message });
  checkVersion(found, data.ifVersion);
  const message: Message = {
    ...found.message,
    version: state.version + 1,
    body: null,
    mentions: [],
    attachments: [],
    reactions: [],
    pinned: false,
    deletedAt: context.now,
  };
  const next = { message, requestHash: found.requestHash };
  const decision = changed(state, 'message.deleted', next, context, data.actorId);
  return { ...decision, ...mentionChange(state, found.message, message) };
}

export function pin(
  state: ConversationState,
  data: CommandData<'message.pin'>,
  context: DecisionContext,
): Decision {
  checkWriter(state, data.actorId);
  if (state.type === 'channel' && !isModerator(state, data.actorId)) {
    throw new ParleyError('forbidden', 'Only moderators pin messages of a channel.');
  }
  const found = needLiving(context, data.messageId, state);
  if (found.message.pinned === data.pinned) return noChange({ message: found.message });
  const message: Message = { ...found.message, version: state.version + 1, pinned: data.pinned };
  return changed(state, 'message.updated', { ...found, message }, context, data.actorId);
}

export function react(
  state: ConversationState,
  data: CommandData<'reaction.set'>,
  context: DecisionContext,
): Decision {
  checkWriter(state, data.actorId);
  const found = needLiving(context, data.messageId, state);
  const before = found.reactors ?? {};
  // An emoji may be called as what every object has: `constructor`.
  const users = Object.hasOwn(before, data.emoji) ? before[data.emoji]! : [];
  if (users.includes(data.actorId) === data.present) return noChange({ message: found.message });
  if (data.present) {
    const total = Object.values(before).reduce((sum, list) => sum + list.length, 0);
    if (
      total >= limits.messageReactionsTotalMax ||
      (users.length === 0 && Object.keys(before).length >= limits.messageReactionsMax)
    ) {
      throw new ParleyError('forbidden', 'The message has as many reactions as it can hold.');
    }
  }
  const after = data.present ? [...users, data.actorId] : users.filter((userId) => userId !== data.actorId);
  const reactors: Record<string, string[]> = { ...before, [data.emoji]: after };
  if (after.length === 0) delete reactors[data.emoji];
  const message: Message = {
    ...found.message,
    version: state.version + 1,
    reactions: Object.entries(reactors).map(([emoji, userIds]) => ({
      emoji,
      count: userIds.length,
      userIds: userIds.slice(0, limits.reactionUserIdsShown),
    })),
  };
  const next: MessageState = { message, requestHash: found.requestHash };
  if (Object.keys(reactors).length > 0) next.reactors = reactors;
  return changed(state, 'reaction.changed', next, context, data.actorId);
}
