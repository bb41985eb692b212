import type { EnvelopeKind } from './versions';
import { envelopes, itemsOf, readability, versionOf } from './versions';

const kinds = Object.keys(envelopes) as EnvelopeKind[];

describe('versions of envelopes', () => {
  it.each(kinds)('of %s: its own, the one before and the next are read, all else is refused', (kind) => {
    const { written, oldest } = envelopes[kind];
    for (const version of [Math.max(1, written - 1), written, written + 1])
      expect(readability(kind, version)).toBe('readable');
    expect(readability(kind, written + 2)).toBe('tooNew');
    expect(readability(kind, oldest - 1)).toBe('outdated');
    expect(readability(kind, NaN)).toBe('outdated');
  });

  it('stand in the envelope; without one it is the first', () => {
    expect([{ v: 7 }, {}, [], { v: '7' }, null, 'text'].map(versionOf)).toEqual([7, 1, 1, NaN, NaN, NaN]);
  });

  it('a list is read bare and in an envelope', () => {
    expect(itemsOf([1, 2])).toEqual([1, 2]);
    expect(itemsOf({ v: 2, items: [1, 2] })).toEqual([1, 2]);
    expect(itemsOf('nonsense')).toEqual(['nonsense']);
    expect(itemsOf(null)).toEqual([null]);
  });
});
