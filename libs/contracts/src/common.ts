import { z } from 'zod';
import { limits } from './limits';

/** Any UUID in lower case; v7 for ids that are made, v8 for ids that are derived. */
export const id = z
  .string()
  .regex(/^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/, 'must be a UUID in lower case')
  .meta({ format: 'uuid' });

/** RFC 3339 in UTC with milliseconds, for example 2026-01-31T09:30:00.000Z. */
export const timestamp = z.iso.datetime({ precision: 3 });

/** A version or number of a conversation: a whole number from 0. */
export const counter = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

/** Query strings carry numbers as text. */
export const queryCounter = z
  .string()
  .regex(/^\d{1,15}$/, 'must be a whole number')
  .transform(Number);

/** An opaque position in a list; made by the server, given back unchanged. The longest holds a display name, folded and encoded. */
export const cursor = z.string().min(1).max(4000);

export const pageQuery = z.strictObject({
  limit: queryCounter.pipe(z.number().min(1).max(limits.pageLimitMax)).optional(),
  cursor: cursor.optional(),
});

export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable() });
}

/** A list of ids in a query string, separated by commas. */
export const queryIds = z
  .string()
  .transform((text) => text.split(','))
  .pipe(z.array(id).min(1).max(limits.userIdsPerRequestMax));

const controls = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;

/** No control characters except tab and line ends, no lone surrogates: no store keeps them. */
export function isStorable(value: string): boolean {
  return !controls.test(value) && value.isWellFormed();
}

/** Text that people read. */
export function text(charsMin: number, charsMax: number) {
  return z
    .string()
    .min(charsMin)
    .max(charsMax)
    .refine(isStorable, 'contains characters that are not allowed');
}

/** Line ends of every kind, and what else only controls a terminal. */
const lineEnds = /[\t\n\r\u0080-\u009f\u2028\u2029]/;
/** Turns around what is read after it, beyond its own text: a file `annex\u202egpj.exe` is shown as `annexexe.jpg`. */
const directions = /[\u202a-\u202e\u2066-\u2069]/;

/** One line of text, trimmed: names and titles, which stand beside other text. */
export function line(charsMin: number, charsMax: number) {
  return text(0, charsMax)
    .transform((value) => value.trim())
    .pipe(
      z
        .string()
        .min(charsMin)
        .refine((value) => !lineEnds.test(value), 'must be one line')
        .refine((value) => !directions.test(value), 'contains characters that are not allowed'),
    );
}

export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    code: z.string(),
    requestId: z.string(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .describe('RFC 9457 problem details; `code` is stable and meant for programs.');
export type Problem = z.infer<typeof problem>;

export const limitsSchema = z
  .record(z.string(), z.number())
  .describe('Every bound that a client can meet, by name; the unit is the last word of the name.');
