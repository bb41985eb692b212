import type { Message } from '@parley/contracts';
import { judge, type Observed } from './judge';

const bodies = ['alice 1', 'bob 1', 'alice 2', 'bob 2'];

/** Two people have sent two messages each, and all is well. */
function world(): Observed {
  const log = bodies.map((body, index) => ({ body, number: index + 1 }) as Message);
  const sent = bodies.map((body, index) => ({ sender: body.split(' ')[0]!, body, stored: log[index]! }));
  return { sent, log: [...log], views: new Map([['alice', [...log]]]) };
}

const renumbered = (log: Message[]): Message[] =>
  log.map((message, index) => ({ ...message, number: index + 1 }));

describe('judge', () => {
  it('finds nothing where all is well', () => {
    expect(judge(world())).toEqual([]);
  });

  it('finds what was acknowledged and is lost', () => {
    const observed = world();
    observed.log = renumbered(observed.log.slice(0, 3));
    observed.views.clear();
    expect(judge(observed)).toEqual(['lost: "bob 2" was acknowledged']);
  });

  it('does not mind that what was never acknowledged is missing', () => {
    const observed = world();
    observed.sent.push({ sender: 'bob', body: 'bob 3' });
    expect(judge(observed)).toEqual([]);
  });

  it('finds what is there twice', () => {
    const observed = world();
    observed.log = renumbered([...observed.log, observed.log[3]!]);
    observed.views.clear();
    expect(judge(observed)).toEqual(['doubled: "bob 2" is there 2 times']);
  });

  it('finds a gap in the numbers', () => {
    const observed = world();
    observed.log[3] = { ...observed.log[3]!, number: 5 };
    observed.views.clear();
    expect(judge(observed)).toEqual(['gap: "bob 2" is number 5, not 4']);
  });

  it('finds messages of one sender that changed places', () => {
    const observed = world();
    const [first, second, third, last] = observed.log as [Message, Message, Message, Message];
    observed.log = renumbered([third, second, first, last]);
    observed.views.clear();
    expect(judge(observed)).toEqual(['reordered: alice sent "alice 1" before "alice 2"']);
  });

  it('finds somebody who holds something else', () => {
    const observed = world();
    observed.views.set('alice', observed.log.slice(0, 3));
    observed.views.set('bob', [...observed.log, { body: 'ghost', number: 5 } as Message]);
    expect(judge(observed)).toEqual([
      'diverged: alice holds "undefined" where the log says "4 bob 2"',
      'diverged: bob holds "5 ghost" as well',
    ]);
  });
});
