import { isBackingServiceAway } from '@parley/service';
import { refusedRow } from './insert.reply';

const taken = { index: 2, code: 11_000, errmsg: 'E11000 duplicate key' };

describe('the answer of an ordered insert', () => {
  it('names the row that ended it, or none', () => {
    expect(refusedRow({})).toBeUndefined();
    expect(refusedRow({ writeErrors: [] })).toBeUndefined();
    expect(refusedRow({ writeErrors: [taken] })).toBe(taken);
    const invalid = { index: 0, code: 121, errmsg: 'Document failed validation' };
    expect(refusedRow({ writeErrors: [invalid] })).toBe(invalid);
  });

  it('leaves the outcome unknown where no majority has acknowledged it', () => {
    const writeConcernError = { code: 64, errmsg: 'waiting for replication timed out' };
    expect(() => refusedRow({ writeErrors: [taken], writeConcernError })).toThrow(
      'not acknowledged: waiting',
    );
  });

  it.each([
    [6, 'HostUnreachable'],
    [89, 'NetworkTimeout'],
    [91, 'ShutdownInProgress'],
    [133, 'FailedToSatisfyReadPreference'],
    [189, 'PrimarySteppedDown'],
    [202, 'NetworkInterfaceExceededTimeLimit'],
    [10_107, 'NotWritablePrimary'],
    [11_602, 'InterruptedDueToReplStateChange'],
  ])('leaves it unknown when a row met %i, %s', (code, errmsg) => {
    let thrown: unknown;
    try {
      refusedRow({ writeErrors: [{ index: 1, code, errmsg }] });
    } catch (error) {
      thrown = error;
    }
    expect([String(thrown), isBackingServiceAway(thrown)]).toEqual([expect.stringContaining(errmsg), true]);
  });
});
