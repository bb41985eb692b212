import { v7 } from 'uuid';
import { blank, create } from '../conversation/conversation.rules';
import type { DecisionContext } from '../log/decision';
import { join, remove } from './member.rules';

const [alice, bob, carol] = [v7(), v7(), v7()];
const context: DecisionContext = {
  now: '2026-01-01T00:00:00.000Z',
  newId: () => v7(),
  requestHash: '',
  messages: new Map(),
};

/** A public channel of alice's, alone. */
function channel() {
  const state = blank(v7());
  const { id: conversationId } = state;
  const said = { type: 'channel', title: 'All', topic: null, visibility: 'public', requestHash: '' } as const;
  create(state, { conversationId, actorId: alice, memberIds: [], ...said }, context);
  const enter = (actorId: string) => join(state, { conversationId, actorId }, context);
  const leave = (userId: string) => remove(state, { conversationId, actorId: userId, userId }, context);
  return { state, enter, leave };
}

describe('a public channel that everybody has left', () => {
  it('belongs to whoever comes next, and to nobody who comes after', () => {
    const { state, enter, leave } = channel();
    const { version } = state;
    leave(alice);
    const decision = enter(bob);
    expect(decision.memberships).toMatchObject([{ userId: bob, role: 'owner' }]);
    expect(decision.event).toMatchObject({ change: 'added', version: null, member: { role: 'owner' } });
    enter(carol);
    expect(state.members.get(carol)?.role).toBe('member');
    // Joins and leaves of a channel move no version.
    expect(state.version).toBe(version);
  });

  it('is never without an owner while somebody is in it', () => {
    const { state, enter, leave } = channel();
    enter(bob);
    expect(state.members.get(bob)?.role).toBe('member');
    expect(() => leave(alice)).toThrow('Make somebody else an owner first.');
  });
});
