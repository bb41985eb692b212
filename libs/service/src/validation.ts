import {
  Body,
  Param,
  Query,
  createParamDecorator,
  type ExecutionContext,
  type PipeTransform,
} from '@nestjs/common';
import { ParleyError, parse } from '@parley/contracts';
import type { Request } from 'express';
import type { z } from 'zod';

/** A pipe that gives the schema's output or refuses with `invalid_request`, naming every offending field. */
export function zodPipe<T extends z.ZodType>(schema: T): PipeTransform<unknown, z.output<T>> {
  return { transform: (value) => parse(schema, value) };
}

/** The validated JSON body. */
export const ZodBody = (schema: z.ZodType) => Body(zodPipe(schema));

/** The validated query string: every value is text, repeated keys are arrays (and so mostly refused). */
export const ZodQuery = (schema: z.ZodType) => Query(zodPipe(schema));

/** The validated path parameters. */
export const ZodParams = (schema: z.ZodType) => Param(zodPipe(schema));

/** The `Idempotency-Key` of a request that must carry one: 1 to 128 printable ASCII characters. */
export const IdempotencyKey = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  idempotencyKey(context.switchToHttp().getRequest<Request>().headers['idempotency-key']),
);

/** @throws ParleyError `invalid_request` when the header is missing or malformed */
export function idempotencyKey(header: string | string[] | undefined): string {
  if (typeof header === 'string' && /^[\x21-\x7e](?:[\x20-\x7e]{0,126}[\x21-\x7e])?$/.test(header))
    return header;
  const message = header === undefined ? 'is required' : 'must be 1 to 128 printable ASCII characters';
  throw new ParleyError('invalid_request', `Idempotency-Key: ${message}`, {
    errors: [{ path: 'Idempotency-Key', message }],
  });
}
