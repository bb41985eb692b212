import { ParleyError } from '@parley/contracts';
import { MemoryStorage, silentLogger } from '../environment';
import { settle, VirtualClock } from '../testing/virtual-clock';
import { ReadMarks } from './read-marks';

it('leaves no timer behind when it stops, and goes on when it starts', async () => {
  const clock = new VirtualClock();
  const asked: string[] = [];
  const failures = [new ParleyError('unavailable')];
  const marks = new ReadMarks(
    { clock, storage: new MemoryStorage(), logger: silentLogger, random: () => 0.5 },
    async (conversationId, number) => {
      asked.push(`${conversationId} ${number}`);
      const failure = failures.shift();
      if (failure) throw failure;
    },
  );
  marks.start();
  marks.mark('room', 7);
  await settle();
  marks.stop();
  // A process that has closed its client ends.
  expect(clock.next).toBeUndefined();
  await settle();
  marks.start();
  await settle();
  expect(asked).toEqual(['room 7', 'room 7']);
});
