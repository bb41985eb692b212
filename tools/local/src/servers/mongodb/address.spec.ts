import { otherDatabase } from './address';

test.each([
  ['mongodb://localhost:27017', 'mongodb://localhost:27017/other?authSource=admin'],
  ['mongodb://a:b@one:1,two:2/parley', 'mongodb://a:b@one:1,two:2/other?authSource=parley'],
  ['mongodb+srv://a:b@one/?tls=true', 'mongodb+srv://a:b@one/other?tls=true&authSource=admin'],
  ['mongodb://a:b@one/parley?authSource=admin', 'mongodb://a:b@one/other?authSource=admin'],
  ['mongodb://one/?authMechanism=PLAIN', 'mongodb://one/other?authMechanism=PLAIN'],
])('another database of %s', (url, other) => {
  expect(otherDatabase(url, 'other')).toBe(other);
});
