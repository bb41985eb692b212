import type { CommandData } from '@parley/contracts';
import { ParleyError } from '@parley/contracts';
import type { ConversationState } from '../conversation/conversation.state';
import type { Decision } from '../log/decision';
import { noChange } from '../log/decision';
import { checkMember } from '../message/message.rules';

/** What is read, as far as the owner of the conversation knows. */
export interface ReadMark {
  readNumber: number;
  /** Of the last message: no mark can stand further. */
  isLast: boolean;
}

/** A mark beyond the last message means the last message. */
export function read(state: ConversationState, data: CommandData<'read.mark'>): Decision {
  checkMember(state, data.actorId);
  const { messageCount } = state;
  const mark: ReadMark = {
    readNumber: Math.min(data.number, messageCount),
    isLast: data.number >= messageCount,
  };
  return noChange(mark);
}

export function unread(state: ConversationState, data: CommandData<'unread.set'>): Decision {
  checkMember(state, data.actorId);
  if (data.fromNumber !== null && data.fromNumber > state.messageCount) {
    throw new ParleyError('invalid_request', 'fromNumber: there is no such message yet');
  }
  return noChange({ fromNumber: data.fromNumber });
}
