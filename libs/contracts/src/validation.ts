import type { z } from 'zod';
import { ParleyError } from './errors';

/** Parses outside input; throws `invalid_request` that names every offending field. */
export function parse<T extends z.ZodType>(schema: T, input: unknown): z.output<T> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const errors = result.error.issues.slice(0, 20).map((issue) => ({
    path: issue.path.join('.'),
    message: issue.message,
  }));
  const first = errors[0];
  const detail = first ? `${first.path || 'request'}: ${first.message}` : 'The request is invalid.';
  throw new ParleyError('invalid_request', detail, { errors });
}
