/** What this build writes of one kind of envelope, and the oldest that it reads. */
interface EnvelopeVersions {
  written: number;
  /** At least one below `written`: instances of two neighbouring releases run side by side during an upgrade. */
  oldest: number;
}

/**
 * The version of every kind of envelope that crosses the broker, here and nowhere else. It stands in the envelope as `v`;
 * one without it is of version 1. What a change must keep to is in docs/decisions/0012-changing-an-event.md.
 *
 * 1: what was written before versions were read.
 * 2: every kind says its version.
 */
export const envelopes = {
  /** Commands and questions, several at once, to one queue. Version 2 also says for how long the asker waits. */
  requests: { written: 2, oldest: 1 },
  /** Version 2 also says which term a command was refused under. */
  replies: { written: 2, oldest: 1 },
  /** Committed rows of one lane. What is inside is older: rows stay in the log for ever. */
  events: { written: 2, oldest: 1 },
  heads: { written: 2, oldest: 1 },
  digest: { written: 2, oldest: 1 },
  owner: { written: 2, oldest: 1 },
  /** A heartbeat. */
  member: { written: 2, oldest: 1 },
  users: { written: 2, oldest: 1 },
  accounts: { written: 2, oldest: 1 },
  // Bare lists have no place for a version. `{v, items}` is read already and will be written by the next release.
  connections: { written: 1, oldest: 1 },
  presence: { written: 1, oldest: 1 },
} as const satisfies Record<string, EnvelopeVersions>;

export type EnvelopeKind = keyof typeof envelopes;

/** The version that an envelope says; 1 where it says none, NaN where it is none. */
export function versionOf(body: unknown): number {
  if (typeof body !== 'object' || body === null) return NaN;
  const v = (body as { v?: unknown }).v;
  return v === undefined ? 1 : typeof v === 'number' ? v : NaN;
}

/**
 * Whether this build reads an envelope. The next version is read as well: changes only add, and what is unknown is passed
 * over. Beyond that nothing is certain, so it is refused.
 */
export function readability(kind: EnvelopeKind, version: number): 'readable' | 'outdated' | 'tooNew' {
  const { oldest, written } = envelopes[kind];
  if (version > written + 1) return 'tooNew';
  return version >= oldest ? 'readable' : 'outdated';
}

/** The entries of a list, bare (version 1) or in an envelope. Anything else counts as one entry, to be judged as such. */
export function itemsOf(body: unknown): unknown[] {
  if (Array.isArray(body)) return body;
  const items = (body as { items?: unknown } | null)?.items;
  return Array.isArray(items) ? items : [body];
}
