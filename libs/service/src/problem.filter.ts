import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import { errorCatalog, type ParleyError, type Problem } from '@parley/contracts';
import type { Response } from 'express';
import { throwError } from 'rxjs';
import { currentContext } from './context';
import { toParleyError } from './errors';
import { getLogger } from './logging';

const log = getLogger('Problem');

/** RFC 9457 problem details of an error, as every HTTP answer carries them. */
export function toProblem(error: ParleyError, requestId: string): Problem {
  const problem: Problem = {
    type: `urn:parley:problem:${error.code}`,
    title: errorCatalog[error.code].title,
    status: error.status,
    detail: error.message,
    code: error.code,
    requestId,
  };
  if (error.errors) problem.errors = error.errors;
  return problem;
}

/** Writes the problem with its headers. `429` and `503` always say when to come back. */
export function sendProblem(response: Response, error: ParleyError): void {
  if (error.status === 429 || error.status === 503) {
    response.setHeader('Retry-After', String(Math.max(1, Math.ceil((error.retryAfterMs ?? 1000) / 1000))));
  }
  if (error.code === 'unauthenticated' || error.code === 'token_expired') {
    response.setHeader('WWW-Authenticate', 'Bearer error="invalid_token"');
  }
  response
    .status(error.status)
    .type('application/problem+json')
    .send(JSON.stringify(toProblem(error, currentContext().requestId)));
}

/** The one place where errors become answers. What is our own fault is logged; what is the caller's is not. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  catch(thrown: unknown, host: ArgumentsHost): unknown {
    const error = toParleyError(thrown);
    if (error.code === 'internal') log.error({ err: thrown }, 'A request failed unexpectedly.');
    else if (error.code === 'unavailable' && thrown !== error)
      log.warn({ err: thrown }, 'A backing service is away.');
    // Broker and socket handlers expect the error itself and answer in their own form.
    if (host.getType() !== 'http') return throwError(() => error);
    const response = host.switchToHttp().getResponse<Response>();
    // The answer was under way: only breaking it off tells the caller that it is not whole.
    if (response.headersSent) return void response.destroy();
    return sendProblem(response, error);
  }
}
