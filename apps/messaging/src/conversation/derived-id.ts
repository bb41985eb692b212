import { createHash } from 'node:crypto';

/** A UUID of version 8 from a hash: the same parts always give the same id, and so the same partition and owner. */
function derivedId(...parts: string[]): string {
  const bytes = createHash('sha256').update(JSON.stringify(parts)).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** The one direct conversation of two people. */
export function directId(a: string, b: string): string {
  return derivedId('direct', ...[a, b].sort());
}

/** What a creator makes under an Idempotency-Key. */
export function createdId(creatorId: string, key: string): string {
  return derivedId('created', creatorId, key);
}
