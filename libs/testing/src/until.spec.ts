import { until } from './until';

describe('until', () => {
  it('gives the first answer that says something, and asks no more', async () => {
    const answers = [undefined, false, null, 0, 'never asked for'];
    expect(await until('an answer', () => answers.shift())).toBe(0);
    expect(answers).toEqual(['never asked for']);
  });

  it.each([
    ['is always no', () => false],
    ['never comes', () => new Promise<boolean>(() => undefined)],
  ])('says what was awaited when the answer %s', async (_, ask) => {
    await expect(until('the end of the world', ask, { withinMs: 1 })).rejects.toThrow(
      'in vain: the end of the world.',
    );
  });

  it('ends at once with the trouble of the question', async () => {
    await expect(until('peace', () => Promise.reject(new Error('trouble')))).rejects.toThrow('trouble');
  });
});
