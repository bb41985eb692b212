import type { z } from 'zod';
import type { ErrorCode } from '../errors';

export interface OperationAnswer {
  description: string;
  /** Null for an answer without a body. */
  body: z.ZodType | null;
}

/** What goes into an operation and what comes out; method and path stand in `routes`. */
export interface OperationSpec {
  summary: string;
  description?: string;
  params?: z.ZodType;
  query?: z.ZodType;
  body?: z.ZodType;
  /** Takes an `Idempotency-Key` header, without which it is refused. */
  idempotencyKey?: true;
  /** Successful answers by status. */
  answers: Readonly<Record<number, OperationAnswer>>;
  /** Refusals of its own, besides those that any operation may give. */
  refusals?: readonly ErrorCode[];
}

export function answer<T extends z.ZodType>(description: string, body: T) {
  return { description, body };
}

export const noContent = { description: 'Done.', body: null };
