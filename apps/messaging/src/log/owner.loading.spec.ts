import { partitionOf } from '@parley/contracts';
import { alice, apart, bob, ownerWorld, type Reply } from '../testing/owner.world';
import { MemoryLog } from '../testing/simulation/simulated.store';
import type { MessageRef } from './log.store';

/** A log that counts how often messages are asked for. */
class CountingLog extends MemoryLog {
  reads = 0;

  override messages(wanted: MessageRef[]) {
    this.reads += 1;
    return super.messages(wanted);
  }
}

/** An owner of a conversation of alice and bob that has come anew, so that it remembers nothing of these messages of bob. */
async function newcomer(messages: number) {
  const [id] = apart(1) as [string];
  const store = new CountingLog();
  const { owner, submit, send } = await ownerWorld(store, [id]);
  const sent = await Promise.all(Array.from({ length: messages }, (_, i) => send(id, `${i}`)));
  owner.drop(partitionOf(id));
  await owner.open(new Map([[partitionOf(id), 2]]));
  store.reads = 0;
  const react = (messageId: string) =>
    submit(
      id,
      'reaction.set',
      { actorId: alice, messageId, emoji: '+1', present: true },
      60_000,
      2,
    ) as Promise<Reply>;
  return {
    store,
    react,
    send: (body: string) => send(id, body, 60_000, 2),
    ids: sent.map(({ message }) => message.id),
  };
}

describe('an owner that comes to a conversation in which many act', () => {
  it('reads what they name together', async () => {
    const { store, react, send, ids } = await newcomer(20);
    const replies = await Promise.all([send('first'), ...ids.map(react)]);
    expect(replies.slice(1).map(({ message }) => message.id)).toEqual(ids);
    expect(store.reads).toBeLessThanOrEqual(2);
  });

  it('goes on where they name more than it remembers', async () => {
    const { store, react, ids } = await newcomer(300);
    const replies = await Promise.all(ids.map(react));
    expect(replies.map(({ message }) => message.id)).toEqual(ids);
    expect(store.reads).toBeLessThan(30);
  });

  it('knows messages that are not there from those that it has forgotten', async () => {
    const { react, ids } = await newcomer(3);
    const outcomes = await Promise.allSettled([react(bob), ...ids.map(react), react(alice)]);
    expect(outcomes.map(({ status }) => status)).toEqual([
      'rejected',
      'fulfilled',
      'fulfilled',
      'fulfilled',
      'rejected',
    ]);
  });
});
