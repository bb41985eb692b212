import {
  Body,
  Param,
  Query,
  createParamDecorator,
  type ExecutionContext,
  type PipeTransform,
} from '@nestjs/common';
import { limits, ParleyError, parse } from '@parley/contracts';
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

/** The `Idempotency-Key` of a request that must carry one. */
export const IdempotencyKey = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  idempotencyKey(context.switchToHttp().getRequest<Request>().headers['idempotency-key']),
);

/** Printable ASCII, neither beginning nor ending with a blank. */
const printable = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/** @throws ParleyError `invalid_request` when the header is missing or malformed */
export function idempotencyKey(header: string | string[] | undefined): string {
  const { idempotencyKeyCharsMax: max } = limits;
  if (typeof header === 'string' && header.length <= max && printable.test(header)) return header;
  const message = header === undefined ? 'is required' : `must be 1 to ${max} printable ASCII characters`;
  throw new ParleyError('invalid_request', `Idempotency-Key: ${message}`, {
    errors: [{ path: 'Idempotency-Key', message }],
  });
}
