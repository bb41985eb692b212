import { mongo } from 'mongoose';
import { DatabaseError } from 'pg';
import { QueryFailedError } from 'typeorm';
import { serializeError } from './logging';

const secret = 'what alice wrote';

function databaseError(): DatabaseError {
  const error = new DatabaseError(`invalid input syntax for type uuid: "${secret}"`, 1, 'error');
  return Object.assign(error, { code: '22P02', severity: 'ERROR', detail: secret });
}

test.each([
  ['PostgreSQL', databaseError(), { type: 'error', code: '22P02' }],
  [
    'PostgreSQL by TypeORM',
    new QueryFailedError('select', [secret], databaseError()),
    { type: 'QueryFailedError', code: '22P02' },
  ],
  [
    'MongoDB',
    new mongo.MongoServerError({
      message: `E11000 dup key: { body: "${secret}" }`,
      code: 11000,
      codeName: 'DuplicateKey',
    }),
    { type: 'MongoServerError', code: 11000, codeName: 'DuplicateKey' },
  ],
])('of what %s refuses the codes are logged, not what it quotes', (_store, error, logged) => {
  const fields = serializeError(new Error('It could not be stored.', { cause: error }));
  expect(fields).toMatchObject({ message: 'It could not be stored.', cause: logged });
  expect(JSON.stringify(fields)).not.toContain(secret);
  expect(JSON.stringify(fields)).toContain('logging.spec.ts');
});
