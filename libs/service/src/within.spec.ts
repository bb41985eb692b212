import { metricsRegistry } from './metrics';
import { within } from './within';

const givenUp = async () =>
  (await metricsRegistry.getSingleMetric('parley_given_up_total')!.get()).values[0]!.value;

test('gives what comes in time, and the error of what fails', async () => {
  expect(await within(60_000, 'a sum', Promise.resolve(4))).toBe(4);
  await expect(within(60_000, 'a sum', Promise.reject(new Error('no numbers')))).rejects.toThrow(
    'no numbers',
  );
});

test('gives up what never comes, and counts it', async () => {
  const before = await givenUp();
  await expect(within(10, 'a sum', new Promise(() => undefined))).rejects.toThrow(
    'a sum did not come to an end within 10 ms',
  );
  expect(await givenUp()).toBe(before + 1);
});
