/** Array parameters for node-postgres that cost little: its own conversion escapes every element of every array. */

const jsonOid = 114;
const headerBytes = 20;

/** A literal for arrays of numbers, booleans, UUIDs, times and plain words: nothing in them needs quoting. */
export function plainArray(values: readonly (number | string | boolean | null)[]): string {
  return `{${values.map((value) => value ?? 'NULL').join(',')}}`;
}

/** A `json[]` in PostgreSQL's binary format. Buffers are sent as binary parameters. */
export function jsonArray(values: readonly (string | null)[]): Buffer {
  if (values.length === 0) return emptyArray();
  const lengths = values.map((value) => (value === null ? -1 : Buffer.byteLength(value)));
  let bytes = headerBytes;
  for (const length of lengths) bytes += 4 + Math.max(0, length);
  const buffer = Buffer.allocUnsafe(bytes);
  buffer.writeInt32BE(1, 0); // dimensions
  buffer.writeInt32BE(1, 4); // may hold nulls
  buffer.writeInt32BE(jsonOid, 8);
  buffer.writeInt32BE(values.length, 12);
  buffer.writeInt32BE(1, 16); // lower bound
  let offset = headerBytes;
  for (let i = 0; i < values.length; i += 1) {
    offset = buffer.writeInt32BE(lengths[i] ?? -1, offset);
    const value = values[i];
    if (value != null) offset += buffer.write(value, offset);
  }
  return buffer;
}

function emptyArray(): Buffer {
  const buffer = Buffer.alloc(12);
  buffer.writeInt32BE(jsonOid, 8);
  return buffer;
}
