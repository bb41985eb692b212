import { isIP } from 'node:net';
import type { Span } from '@opentelemetry/api';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { ParleyError, limits } from '@parley/contracts';
import { json, type NextFunction, type Request, type Response } from 'express';
import { makeContext, runInContext } from './context';
import { toParleyError } from './errors';
import type { HealthRegistry } from './health';
import { getLogger } from './logging';
import { histogram } from './metrics';
import { endSpan, enterContext } from './tracing';

const log = getLogger('Http');

const duration = histogram('http_request_duration_seconds', 'Time to answer, by route template.', [
  'method',
  'route',
  'status',
]);

/** Routes that ask often and say nothing. */
const quiet = /^\/(health|metrics)\b/;

/** What every HTTP answer of every service has in common, before any route is looked at. */
export function setUpHttp(app: NestExpressApplication, settings: { trustedProxies: string }): void {
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('trust proxy', settings.trustedProxies);
  app.use(nameClient);
  app.use(withContext);
  app.use(measure);
  app.use(refuseLostEnds);
  app.use(refuseOtherMediaTypes);
  app.use(json({ limit: limits.httpBodyBytesMax, type: 'application/json' }));
  // Named here, because Nest would flatten the parser's errors to their messages.
  app.use((error: unknown, _request: Request, _response: Response, next: NextFunction) =>
    next(toParleyError(error)),
  );
}

/** Counts the requests under way, so that draining can wait for them; while it drains, connections are not kept. */
export class RequestTracker {
  private underWay = 0;
  private waiting: (() => void)[] = [];

  constructor(private readonly health: HealthRegistry) {}

  readonly middleware = (_request: Request, response: Response, next: NextFunction): void => {
    this.underWay += 1;
    if (this.health.draining) response.setHeader('Connection', 'close');
    response.once('close', () => {
      this.underWay -= 1;
      if (this.underWay === 0) for (const done of this.waiting.splice(0)) done();
    });
    next();
  };

  /** Resolves once nothing is under way. The caller bounds it. */
  idle(): Promise<void> {
    if (this.underWay === 0) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}

/**
 * Lets `@Ip()` be whom the gateway names in X-Real-IP, and its peer for who is no trusted proxy. X-Forwarded-For, which is all that
 * Express reads, the gateway only appends to: of a client whose own address is private, Express would believe what it wrote
 * before that. So Express is shown the one in place of the other.
 */
function nameClient({ headers }: Request, _response: Response, next: NextFunction): void {
  const named = headers['x-real-ip'];
  delete headers['x-forwarded-for'];
  if (typeof named === 'string' && isIP(named)) headers['x-forwarded-for'] = named;
  next();
}

function withContext(request: Request, response: Response, next: NextFunction): void {
  const from = { requestId: request.headers['x-request-id'], traceparent: request.headers.traceparent };
  const context = quiet.test(request.path) ? makeContext(from) : enterContext(request.method, from);
  response.setHeader('X-Request-Id', context.requestId);
  const { span } = context;
  if (span) response.once('close', () => endRequestSpan(span, request, response));
  runInContext(context, next);
}

function endRequestSpan(span: Span, request: Request, response: Response): void {
  const route = routeOf(request);
  span.updateName(`${request.method} ${route}`);
  span.setAttributes({
    'http.request.method': request.method,
    'http.route': route,
    'http.response.status_code': response.statusCode,
  });
  endSpan(span, response.statusCode >= 500 || !response.writableFinished ? new Error() : undefined);
}

/** The template, for paths hold ids and are without number. */
function routeOf(request: Request): string {
  const template: unknown = (request.route as { path?: unknown } | undefined)?.path;
  return typeof template === 'string' ? template : 'unmatched';
}

/** Rate, errors and duration by route template. */
function measure(request: Request, response: Response, next: NextFunction): void {
  const start = process.hrtime.bigint();
  response.once('finish', () => {
    const seconds = Number(process.hrtime.bigint() - start) / 1e9;
    const route = routeOf(request);
    duration.observe({ method: request.method, route, status: String(response.statusCode) }, seconds);
    if (quiet.test(route)) return;
    log.info(
      { method: request.method, route, status: response.statusCode, ms: Math.round(seconds * 1e5) / 100 },
      'request',
    );
  });
  next();
}

/**
 * A write whose path ends in a slash has lost its last part on the way: `…/messages/M/reactions/..` comes as `…/messages/M/`, for
 * clients and gateways resolve dots. Express would take it for the path without the slash, and delete the message.
 */
function refuseLostEnds(request: Request, _response: Response, next: NextFunction): void {
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  if (isRead || !request.path.endsWith('/')) return next();
  next(new ParleyError('not_found', 'There is nothing at this address.'));
}

function refuseOtherMediaTypes(request: Request, _response: Response, next: NextFunction): void {
  const hasBody =
    request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0;
  if (!hasBody || request.is('application/json')) return next();
  next(new ParleyError('unsupported_media_type', 'The body must be application/json.'));
}
