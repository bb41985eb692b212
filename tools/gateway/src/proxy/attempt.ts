import { request, type Agent, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Exchange, Exit, Headers } from '../exchange';
import type { Match } from '../router';
import type { Runtime } from '../runtime';
import type { Balancer } from '../upstream/balancer';
import type { Target } from '../upstream/health';
import { escapePath } from '../path';

export interface Attempt {
  agent: Agent | false;
  method: string;
  body: Buffer;
  /** The headers for this target. */
  headers(target: Target): Headers;
  /** Aborts when the client is gone. */
  signal: AbortSignal;
}

export interface Answer {
  response: IncomingMessage;
  /** Present after a 101: the raw connection and what already came on it. */
  tunnel?: { socket: Socket; head: Buffer };
  /** To be called when the request or socket is over. */
  release(): void;
}

type Fault = 'refused' | 'connectTimeout' | 'reset' | 'readTimeout';

/** As in nginx: these are not sent twice once they may have arrived. */
const notRepeatable = new Set(['POST', 'PATCH', 'LOCK']);

const faultExits: Record<Fault, Exit> = {
  refused: faultExit(502, 'An invalid response was received from the upstream server'),
  reset: faultExit(502, 'An invalid response was received from the upstream server'),
  connectTimeout: faultExit(504, 'The upstream server is timing out'),
  readTimeout: faultExit(504, 'The upstream server is timing out'),
};

function faultExit(status: number, message: string): Exit {
  return { status, body: { message }, source: 'error' };
}

/** Asks the service's targets in turn until one answers; an exit says why none did. */
export async function ask(
  runtime: Runtime,
  exchange: Exchange,
  match: Match,
  attempt: Attempt,
): Promise<Answer | Exit> {
  const service = match.route.service!;
  const balancer = runtime.balancers.get(service.host);
  const path = upstreamPath(exchange, match);
  const tried = new Set<Target>();
  let fault: Fault | undefined;

  for (let left = service.retries; left >= 0; left -= 1) {
    const target = balancer ? balancer.choose(tried) : plainTarget(service.host, service.port);
    if (!target) break;
    tried.add(target);
    const release = balancer?.hold(target) ?? (() => undefined);
    const result = await askOnce(target, path, service, attempt);
    if (typeof result === 'object') {
      balancer?.health.reportStatus(target, result.response.statusCode!);
      return { ...result, release };
    }
    release();
    fault = result;
    reportFault(balancer, target, result);
    const arrived = result === 'reset' || result === 'readTimeout';
    if (attempt.signal.aborted || (arrived && notRepeatable.has(attempt.method))) break;
  }
  return fault ? faultExits[fault] : faultExit(503, 'failure to get a peer from the ring-balancer');
}

function reportFault(balancer: Balancer | undefined, target: Target, fault: Fault): void {
  if (fault === 'refused') balancer?.health.reportFault(target, 'tcpFailure');
  if (fault === 'connectTimeout' || fault === 'readTimeout') balancer?.health.reportFault(target, 'timeout');
}

function plainTarget(host: string, port: number): Target {
  return { host, port, name: port === 80 ? host : `${host}:${port}` };
}

function upstreamPath(exchange: Exchange, { route, matchedLength }: Match): string {
  const rest = route.entry.strip_path ? exchange.path.slice(matchedLength) : exchange.path;
  const path = escapePath(`${route.service!.path}${rest.startsWith('/') ? '' : '/'}${rest}`);
  return exchange.query ? `${path}?${exchange.query}` : path;
}

function askOnce(
  target: Target,
  path: string,
  limits: { connectTimeoutMs: number; readTimeoutMs: number },
  { agent, method, body, headers, signal }: Attempt,
): Promise<Omit<Answer, 'release'> | Fault> {
  return new Promise((resolve) => {
    let fault: Fault = 'refused';
    let connectTimer: NodeJS.Timeout | undefined;
    const upstream: ClientRequest = request({
      host: target.host,
      port: target.port,
      agent,
      method,
      path,
      headers: headers(target),
      setHost: false,
    });
    const giveUp = (reason: Fault) => {
      fault = reason;
      upstream.destroy(new Error(reason));
    };
    const abort = () => giveUp('reset');
    const settle = (result: Omit<Answer, 'release'> | Fault) => {
      clearTimeout(connectTimer);
      resolve(result);
    };
    signal.addEventListener('abort', abort);
    upstream.on('close', () => signal.removeEventListener('abort', abort));
    upstream.on('socket', (socket) => {
      if (!socket.connecting) {
        fault = 'reset';
        return;
      }
      connectTimer = setTimeout(() => giveUp('connectTimeout'), limits.connectTimeoutMs);
      socket.once('connect', () => {
        clearTimeout(connectTimer);
        fault = 'reset';
      });
    });
    upstream.setTimeout(limits.readTimeoutMs, () => giveUp('readTimeout'));
    upstream.on('error', () => settle(fault));
    upstream.on('response', (response) => settle({ response }));
    upstream.on('upgrade', (response, socket: Socket, head) => {
      socket.setTimeout(0);
      signal.removeEventListener('abort', abort);
      settle({ response, tunnel: { socket, head } });
    });
    upstream.end(body);
  });
}
