import { sqlStateOfRefusal } from './errors';

const failure = (code?: string, message = 'failed') => Object.assign(new Error(message), code && { code });

test.each(['22P02', '23505', '42501'])('SQLSTATE %s is about the statement', (code) => {
  expect(sqlStateOfRefusal(failure(code))).toBe(code);
});

test.each(['57014', '08006', '53100', '25006', '40001', 'EPIPE', 'ECONNRESET'])(
  '%s is about the server, or the line to it',
  (code) => expect(sqlStateOfRefusal(failure(code))).toBeUndefined(),
);

test('what says no SQLSTATE is no refusal', () => {
  expect(sqlStateOfRefusal(failure(undefined, 'timeout exceeded when trying to connect'))).toBeUndefined();
  expect(sqlStateOfRefusal(failure())).toBeUndefined();
});
