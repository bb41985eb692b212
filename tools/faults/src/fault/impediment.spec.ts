import { faults, slugOf } from './faults';
import { impediment, type Strikable } from './impediment';

const ours: Strikable = {
  postgres: { managed: true },
  redis: { managed: true },
  rabbitmq: { managed: true },
  mongodb: { managed: true, members: [] },
};

const skippedOn = (servers: Strikable): string[] =>
  faults.filter((fault) => impediment(fault, servers) !== undefined).map(slugOf);

test('a server that was given is struck by no fault', () => {
  expect(skippedOn({ ...ours, mongodb: { managed: false, members: [] } })).toEqual([
    'stop-mongodb',
    'kill-mongodb',
    'kill-mongodb-primary',
    'freeze-mongodb-primary',
    'replace-mongodb-members',
    'pause-mongodb',
    'freeze-mongodb',
  ]);
  expect(skippedOn({ ...ours, redis: { managed: false } })).toEqual(
    expect.arrayContaining(['stop-redis', 'flush-redis', 'pause-redis', 'freeze-redis']),
  );
  expect(impediment({ strikes: 'rabbitmq' }, { ...ours, rabbitmq: { managed: false } })).toContain(
    'rabbitmq was given',
  );
});

test('members are struck only where there are some', () => {
  expect(skippedOn(ours)).toEqual([
    'kill-mongodb-primary',
    'freeze-mongodb-primary',
    'replace-mongodb-members',
  ]);
});
