import type { CommandName, ErrorBody, QueryName } from '@parley/contracts';

/**
 * One entry of a request envelope: the asker's own id, the partition and the term under which its owner is addressed
 * (-1 and 0 for a query), the pattern, the data, the W3C traceparent if there is one, and for how many milliseconds the
 * asker still waits. Releases that know no such time read and write entries without it.
 */
export type RequestEntry = [
  id: number,
  partition: number,
  term: number,
  pattern: CommandName | QueryName,
  data: unknown,
  traceparent?: string | null,
  timeLeftMs?: number,
];

export interface RequestEnvelope {
  v: number;
  requests: RequestEntry[];
}

export const replyStatus = {
  ok: 0,
  error: 1,
  /** The addressed term is not, or no longer, open here: ask the present owner. */
  moved: 2,
} as const;

export type ReplyEntry =
  | [id: number, status: typeof replyStatus.ok, data: unknown]
  | [id: number, status: typeof replyStatus.error, error: ErrorBody]
  /** With the term that was addressed; releases before the one that says it answer without. */
  | [id: number, status: typeof replyStatus.moved, term?: number];

export interface ReplyEnvelope {
  v: number;
  replies: ReplyEntry[];
}

/** What an owner of partitions announces: every second, on each change, and when a newcomer is heard. */
export interface OwnerAnnouncement {
  v: number;
  instanceId: string;
  /** Partition (as text) to the term under which commands are taken. */
  open: Record<string, number>;
  /** Partition (as text) to the term that is about to end: hold commands until the successor announces. */
  closing: Record<string, number>;
  /** Partitions that this instance has just let go of: whoever wants them looks at the leases now. */
  released?: number[];
}
