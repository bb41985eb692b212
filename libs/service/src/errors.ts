import { HttpException } from '@nestjs/common';
import { ParleyError, errorCatalog, unavailable, type ErrorCode } from '@parley/contracts';
import { isError } from './logging';
import { tlsFailure } from './tls/failure';

/** SQLSTATE classes and codes that mean: not now. Connection, resources, shutdown, timeouts, lost races. */
const databaseAway = /^(08...|53...|57P0[1-5]|57014|55P03|25P03|25P04|25006|40001|40P01|58...)$/;

const networkAway = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
  'ERR_STREAM_DESTROYED',
]);

/** What pg, pg-pool, ioredis, amqplib, and FerretDB of its PostgreSQL, say without a code, when the other side is gone. */
const messageAway =
  /connection (terminated|ended|is closed|closed|error)|timeout exceeded when trying to connect|query read timeout|not queryable|stream isn't writeable|command timed out|max retries per request|channel (closed|ended)|i\/o timeout|connection re(fused|set)|^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY)\b/i;

/** The driver's and Mongoose's errors without a server's answer. */
const mongoAway =
  /^Mongo(ose)?(Network|NetworkTimeout|ServerSelection|WaitQueueTimeout|NotConnected|TopologyClosed|ClientClosed|PoolClear(ed)?(OnNetwork)?|PoolClosed(Error)?|OperationTimeout)Error$/;

/**
 * Codes of MongoDB that mean: not now. No primary, also of a shard, stepping down, timeouts, a majority that did not answer,
 * lost races.
 */
const mongoCodesAway = new Set([
  6, 7, 50, 64, 79, 89, 91, 100, 112, 133, 189, 202, 262, 9001, 10107, 11600, 11602, 13435, 13436,
]);

/** Whether the failure means that a backing service is away or too slow, rather than that we are wrong. */
export function isBackingServiceAway(error: unknown): boolean {
  if (!isError(error)) return false;
  const source = error as Error & { code?: unknown; driverError?: unknown; errorResponse?: unknown };
  // TypeORM wraps the driver's error in driverError, MongoDB's bulk writes in errorResponse.
  const wrapped = source.driverError ?? source.errorResponse;
  if (wrapped !== error && isBackingServiceAway(wrapped)) return true;
  if (mongoAway.test(source.name)) return true;
  if (source.name.startsWith('Mongo') && mongoCodesAway.has(Number(source.code))) return true;
  if (typeof source.code === 'string' && (databaseAway.test(source.code) || networkAway.has(source.code)))
    return true;
  // A server that cannot be trusted is as good as none.
  if (tlsFailure(source) !== undefined) return true;
  if (source.name === 'TimeoutError' || source.name === 'MaxRetriesPerRequestError') return true;
  if (source.name === 'DriverAlreadyReleasedError' || source.name === 'QueryRunnerAlreadyReleasedError')
    return true;
  // Node reports a refused connection to a name with several addresses as an aggregate.
  if (error.name === 'AggregateError') return (error as AggregateError).errors.some(isBackingServiceAway);
  return messageAway.test(error.message);
}

/** The SQLSTATE with which PostgreSQL refuses this very statement, and would again; undefined for every other failure. */
export function sqlStateOfRefusal(error: unknown): string | undefined {
  const { code } = error as { code?: unknown };
  const isState = typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code);
  return isState && !isBackingServiceAway(error) ? code : undefined;
}

/** Whether this is PostgreSQL's refusal of a second row with the same key; `constraint` narrows it to one index. */
export function isUniqueViolation(error: unknown, constraint?: string): boolean {
  if (!isError(error)) return false;
  const source = ((error as { driverError?: unknown }).driverError ?? error) as {
    code?: string;
    constraint?: string;
  };
  return source.code === '23505' && (constraint === undefined || source.constraint === constraint);
}

/**
 * Turns whatever was thrown into what the caller may see. Used by every door: HTTP, socket and broker.
 * Anything unknown becomes `internal`, without its message.
 */
export function toParleyError(error: unknown): ParleyError {
  if (error instanceof ParleyError) return error;
  if (error instanceof HttpException) return fromStatus(error.getStatus(), error.message);
  if (isBackingServiceAway(error)) return unavailable('A backing service is away. Try again.');
  return fromParser(error) ?? new ParleyError('internal', 'Something went wrong on our side.');
}

function fromStatus(status: number, message: string): ParleyError {
  const codes: Record<number, ErrorCode> = {
    401: 'unauthenticated',
    403: 'forbidden',
    404: 'not_found',
    409: 'conflict',
    413: 'payload_too_large',
    415: 'unsupported_media_type',
    429: 'rate_limited',
    503: 'unavailable',
  };
  if (status === 404) return new ParleyError('not_found', 'There is nothing at this address.');
  const code = codes[status] ?? (status < 500 ? 'invalid_request' : 'internal');
  return new ParleyError(code, code === 'internal' ? errorCatalog.internal.title : message);
}

/** Errors of the body parser and of the router carry a status and a type. */
function fromParser(error: unknown): ParleyError | undefined {
  if (!isError(error)) return undefined;
  const { status, type } = error as { status?: unknown; type?: unknown };
  if (type === 'entity.too.large') return new ParleyError('payload_too_large', 'The body is too large.');
  if (type === 'encoding.unsupported' || type === 'charset.unsupported') {
    return new ParleyError('unsupported_media_type', 'The body must be JSON in UTF-8.');
  }
  if (type === 'entity.parse.failed')
    return new ParleyError('invalid_request', 'The body is not a JSON object.');
  if (error.name === 'URIError') return new ParleyError('invalid_request', 'The address is malformed.');
  if (typeof status === 'number' && status >= 400 && status < 500)
    return fromStatus(status, 'The request is malformed.');
  return undefined;
}
