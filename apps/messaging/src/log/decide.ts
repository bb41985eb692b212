import type { CommandData, CommandName } from '@parley/contracts';
import { ParleyError } from '@parley/contracts';
import * as conversationRules from '../conversation/conversation.rules';
import type { ConversationState } from '../conversation/conversation.state';
import * as memberRules from '../member/member.rules';
import * as messageRules from '../message/message.rules';
import * as markRules from '../read-mark/mark.rules';
import type { Decision, DecisionContext } from './decision';
import { noChange } from './decision';
import type { Task } from './task';
import { staleRefusal } from './task';

type Rules = {
  [C in CommandName]: (state: ConversationState, data: CommandData<C>, context: DecisionContext) => Decision;
};

/** Every command's rule. Rules refuse before they change anything. */
const rules: Rules = {
  'message.send': messageRules.send,
  'message.edit': messageRules.edit,
  'message.delete': messageRules.remove,
  'message.pin': messageRules.pin,
  'reaction.set': messageRules.react,
  'conversation.create': conversationRules.create,
  'conversation.update': conversationRules.update,
  'conversation.delete': conversationRules.remove,
  'member.put': memberRules.put,
  'member.role': memberRules.setRole,
  'member.remove': memberRules.remove,
  'channel.join': memberRules.join,
  'read.mark': markRules.read,
  'unread.set': markRules.unread,
};

export function decide(state: ConversationState, task: Task, context: DecisionContext): Decision {
  const rule = rules[task.name] as (s: ConversationState, d: Task['data'], c: DecisionContext) => Decision;
  return rule(state, task.data, context);
}

/**
 * A send that must not be accepted any more, since later ones of its socket have been decided: refused as the state has it now, or, where
 * that would allow it, to be sent anew.
 */
export function refuse(state: ConversationState, task: Task, context: DecisionContext): never {
  messageRules.checkSend(state, task.data as CommandData<'message.send'>, context);
  throw staleRefusal();
}

export function clientIdKey(data: CommandData<'message.send'>): string {
  return `${data.conversationId}/${data.actorId}/${data.clientMessageId}`;
}

/** The messages that a command names, whose latest state it is decided on. */
export function messagesNamed({ name, data }: Task): string[] {
  if (name === 'message.send') {
    const { replyTo, threadId } = data as CommandData<'message.send'>;
    return [replyTo, threadId].filter((id) => id !== undefined);
  }
  return 'messageId' in data ? [data.messageId] : [];
}

/** A send under a client id that is known: the same request is answered with the message as it is now. */
export function repeat(task: Task, messageId: string, context: DecisionContext): Decision {
  const known = context.messages.get(messageId);
  if (!known) throw new ParleyError('not_found', 'The message of this clientMessageId is gone.');
  if (known.requestHash !== task.requestHash) {
    throw new ParleyError('idempotency_mismatch', 'This clientMessageId belongs to another message.');
  }
  return noChange({ message: known.message, created: false });
}
