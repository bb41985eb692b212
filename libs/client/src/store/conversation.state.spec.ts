import type { MyConversation } from '@parley/contracts';
import { ConversationState } from './conversation.state';

it('takes a mark beyond the last message for the last message: what comes later is unread', () => {
  const state = new ConversationState('room', 'user', true);
  const mine = { id: 'room', version: 3, messageCount: 2, readNumber: 0, firstNumber: 1, createdAt: '' };
  state.applyMine({ ...mine, lastActivityAt: '', unreadFrom: null } as unknown as MyConversation);
  expect(state.markRead(999)).toBe(true);
  expect(state.own?.readNumber).toBe(2);
});
