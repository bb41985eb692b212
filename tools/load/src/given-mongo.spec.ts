import { describeMongo, testMongo } from '@parley/testing';
import { withMongo } from '@parley/tool-local';
import { dropGivenMongo, givenMongo } from './given-mongo';

describeMongo('a MongoDB that was given', () => {
  it('has a database for each system, which goes with it alone', async () => {
    const { url } = await testMongo();
    const systems = [givenMongo({ MONGODB_URL: url }, 'test'), givenMongo({ MONGODB_URL: url }, 'test')];
    const urls = [url, ...systems.map(({ mongodbUrl = '' }) => mongodbUrl)];
    const letters = (): Promise<number[]> =>
      Promise.all(
        urls.map((one) => withMongo(one, (client) => client.db().collection('letters').countDocuments())),
      );
    for (const one of urls)
      await withMongo(one, (client) => client.db().collection('letters').insertOne({ a: 1 }));
    expect(await letters()).toEqual([1, 1, 1]);
    for (const [index, left] of [
      [1, 0, 1],
      [1, 0, 0],
    ].entries()) {
      await dropGivenMongo(systems[index] ?? {});
      expect(await letters()).toEqual(left);
    }
  });
});

test('without one there is nothing to drop', async () => {
  expect(givenMongo({ DATABASE_URL: 'postgres://elsewhere' }, 'test')).toEqual({});
  await dropGivenMongo({});
});
