import type { EnvelopeKind } from '@parley/contracts';
import { replyStatus } from './wire';

type Fields = Readonly<Record<string, unknown>>;

/**
 * What the readers of each kind take for granted, and no more: it is looked at for every envelope. What an entry says
 * beyond that is judged by the schema of whoever takes it.
 */
const shapes: Record<EnvelopeKind, (body: Fields) => boolean> = {
  requests: ({ requests }) => areAll(requests, Array.isArray),
  replies: ({ replies }) => areAll(replies, isReply),
  events: ({ epoch, partitions }) => typeof epoch === 'string' && areAll(partitions, isPartitionRows),
  heads: ({ epoch, heads }) => typeof epoch === 'string' && areCounts(heads),
  digest: ({ epoch, versions }) => typeof epoch === 'string' && areCounts(versions),
  owner: ({ instanceId, open, closing }) =>
    typeof instanceId === 'string' && areCounts(open) && areCounts(closing),
  member: ({ service, instanceId }) => typeof service === 'string' && typeof instanceId === 'string',
  users: ({ kind }) => typeof kind === 'string',
  accounts: ({ kind }) => typeof kind === 'string',
  connections: (body) => Array.isArray(body) || Array.isArray(body['items']),
  presence: (body) => areAll(Array.isArray(body) ? body : body['items'], isObject),
};

/** Whether an envelope has the fields that its kind is read by. */
export function hasShape(kind: EnvelopeKind, body: unknown): boolean {
  return isObject(body) && shapes[kind](body);
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

function areAll(list: unknown, isOne: (entry: unknown) => boolean): boolean {
  return Array.isArray(list) && list.every((entry) => isOne(entry));
}

/** Numbers by name. */
function areCounts(value: unknown): boolean {
  return isObject(value) && Object.values(value).every((count) => typeof count === 'number');
}

function isReply(entry: unknown): boolean {
  return Array.isArray(entry) && (entry[1] !== replyStatus.error || isObject(entry[2]));
}

function isPartitionRows(entry: unknown): boolean {
  return isObject(entry) && typeof entry['partition'] === 'number' && areAll(entry['rows'], isRow);
}

function isRow(row: unknown): boolean {
  return isObject(row) && typeof row['position'] === 'number';
}
