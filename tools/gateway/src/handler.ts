import { ServerResponse, type Agent, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Exchange, type Exit, type Headers, type ResponseHead } from './exchange';
import { normalisePath } from './path';
import type { Plugin } from './plugins/plugin';
import { ask } from './proxy/attempt';
import { BODY_BYTES_MAX, bodyReader, ClientGone, discardRest } from './proxy/body';
import { downstreamHeaders, upstreamHeaders } from './proxy/headers';
import type { Origin, TrustedProxies } from './proxy/origin';
import type { Tunnels } from './proxy/tunnel';
import type { Match } from './router';
import type { Runtime } from './runtime';
import type { GatewayMetrics } from './metrics';

const noRoute: Exit = { status: 404, body: { message: 'no Route matched with those values' } };
const badRequest: Exit = { status: 400, body: { message: 'Bad request' }, source: 'error' };
const unexpected: Exit = { status: 500, body: { message: 'An unexpected error occurred' }, source: 'error' };
const tooLarge: Exit = { status: 413, body: { message: 'Payload too large' }, source: 'error' };

const strayUpgrade: Exit = {
  status: 502,
  body: { message: 'An invalid response was received from the upstream server' },
  source: 'error',
};

interface Context {
  request: IncomingMessage;
  response: ServerResponse;
  exchange: Exchange;
  origin: Origin;
  /** The configuration as it was when the request came; a reload changes only later ones. */
  runtime: Runtime;
  match?: Match;
  plugins: Plugin[];
  /** Aborts when the client closes before it has its answer. */
  clientGone: AbortController;
  /** Present for an upgrade: the client's connection and what came on it after the request. */
  upgrade?: { socket: Socket; head: Buffer };
}

/** Takes one request through the plugins to a service and its answer back. */
export class RequestHandler {
  constructor(
    private readonly runtime: () => Runtime,
    private readonly agent: Agent,
    private readonly tunnels: Tunnels,
    private readonly metrics: GatewayMetrics,
    private readonly proxies: TrustedProxies,
    private readonly onFault: (error: unknown) => void,
  ) {}

  async handle(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): Promise<void> {
    const context = this.open(request, response);
    context.exchange.readBody = bodyReader(request, response, expectsContinue);
    response.on('close', () => {
      if (!response.writableFinished) context.clientGone.abort();
    });
    await this.run(context);
  }

  async upgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.on('finish', () => {
      response.detachSocket(socket);
      socket.destroySoon();
    });
    // Other protocols are not offered: such a request is answered as if it had not asked, as nginx does.
    const isWebSocket = request.headers.upgrade?.toLowerCase() === 'websocket';
    const context: Context = {
      ...this.open(request, response),
      upgrade: isWebSocket ? { socket, head } : undefined,
    };
    socket.on('error', () => undefined);
    // Node takes the body of an upgrade for the first bytes of the other protocol, so it cannot be read any more.
    if (hasBody(request)) return this.reply(context, badRequest);
    const abort = () => context.clientGone.abort();
    socket.on('close', abort);
    await this.run(context);
    socket.off('close', abort);
  }

  private open(request: IncomingMessage, response: ServerResponse): Context {
    const url = request.url!.replace(/^https?:\/\/[^/?]*/i, '') || '/';
    const cut = url.indexOf('?');
    const path = normalisePath(cut < 0 ? url : url.slice(0, cut));
    const query = cut < 0 ? '' : url.slice(cut + 1);
    const runtime = this.runtime();
    const match = path.startsWith('/') ? runtime.router.match(request.method!, path) : undefined;
    const { headers } = request;
    const forwardedFor = [headers['x-forwarded-for'] ?? []].flat().join(',');
    const origin = this.proxies.originOf(request.socket.remoteAddress ?? '', forwardedFor);
    const own = (request.socket as TLSSocket).encrypted ? 'https' : 'http';
    const said = origin.trusted ? headers['x-forwarded-proto'] : undefined;
    const exchange = new Exchange(
      request.method!,
      path,
      query,
      headers,
      origin.address,
      match?.route,
      said === 'http' || said === 'https' ? said : own,
    );
    // What the route is not open to is turned away before its plugins are looked at.
    const isOpen = match?.route.entry.protocols.includes(exchange.scheme);
    const plugins = isOpen ? match!.route.plugins : runtime.globalPlugins;
    return {
      request,
      response,
      exchange,
      origin,
      runtime,
      match,
      plugins,
      clientGone: new AbortController(),
    };
  }

  private async run(context: Context): Promise<void> {
    const startedAtMs = performance.now();
    try {
      const exit = await this.judge(context);
      if (exit) this.reply(context, exit);
      else await this.proxy(context);
    } catch (error) {
      if (error instanceof ClientGone) return;
      this.onFault(error);
      if (context.response.headersSent) context.response.destroy();
      else this.reply(context, unexpected);
    } finally {
      if (!context.upgrade) this.metrics.latency.observe(labelsOf(context), performance.now() - startedAtMs);
    }
  }

  /** Runs the access phase; `undefined` means that the request may go to its service. */
  private async judge({ exchange, match, plugins, request }: Context): Promise<Exit | undefined> {
    const lacksHost = request.httpVersion === '1.1' && request.headers.host === undefined;
    if (lacksHost || !exchange.path.startsWith('/')) return badRequest;
    if (!match) return noRoute;
    if (!match.route.entry.protocols.includes(exchange.scheme))
      return otherProtocol(match, exchange, request);
    for (const plugin of plugins) {
      if (!plugin.access) continue;
      const result = plugin.access(exchange);
      const exit = result instanceof Promise ? await result : result;
      if (exit) return exit;
    }
    return match.route.service
      ? undefined
      : { status: 503, body: { message: 'no Service found for this Route' } };
  }

  private async proxy(context: Context): Promise<void> {
    const { exchange, request, runtime, match, upgrade } = context;
    const body = hasBody(request) ? await exchange.readBody(BODY_BYTES_MAX) : Buffer.alloc(0);
    if (!body) return this.reply(context, tooLarge);
    const answer = await ask(runtime, exchange, match!, {
      agent: upgrade ? false : this.agent,
      method: exchange.method,
      body,
      headers: (target) => {
        const headers = upstreamHeaders(exchange, request, context.origin, target.name);
        if (upgrade) Object.assign(headers, { connection: 'Upgrade', upgrade: request.headers.upgrade });
        else if (hasBody(request)) headers['content-length'] = String(body.length);
        return headers;
      },
      signal: context.clientGone.signal,
    });
    if (!('response' in answer)) return this.reply(context, answer);
    const { response, tunnel, release } = answer;
    if (tunnel && upgrade) return this.joinTunnel(context, upgrade, response, tunnel, release);
    try {
      if (!tunnel) return await this.relay(context, response);
      tunnel.socket.destroy();
      this.reply(context, strayUpgrade);
    } finally {
      response.destroy();
      release();
    }
  }

  /** Streams a service's answer to the client. */
  private async relay(context: Context, from: IncomingMessage): Promise<void> {
    const { response } = context;
    const head = this.filterHeaders(context, {
      status: from.statusCode!,
      source: 'service',
      headers: downstreamHeaders(from.headers),
    });
    response.writeHead(head.status, from.statusMessage, compact(head.headers));
    await new Promise<void>((resolve) => {
      from.on('error', () => response.destroy());
      from.on('close', () => {
        if (!from.complete) response.destroy();
      });
      response.on('close', resolve);
      response.on('finish', resolve);
      from.pipe(response);
    });
  }

  private joinTunnel(
    context: Context,
    client: { socket: Socket; head: Buffer },
    from: IncomingMessage,
    upstream: { socket: Socket; head: Buffer },
    release: () => void,
  ): void {
    const head = this.filterHeaders(context, {
      status: 101,
      source: 'service',
      headers: downstreamHeaders(from.headers),
    });
    head.headers.connection = 'Upgrade';
    head.headers.upgrade = from.headers.upgrade;
    const lines = Object.entries(compact(head.headers)).flatMap(([name, value]) =>
      [value].flat().map((one) => `${name}: ${one}\r\n`),
    );
    context.response.detachSocket(client.socket);
    client.socket.write(Buffer.from(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`, 'latin1'));
    if (upstream.head.length > 0) client.socket.write(upstream.head);
    if (client.head.length > 0) upstream.socket.write(client.head);
    this.tunnels.join(client.socket, upstream.socket, context.match!.route.service!.readTimeoutMs, release);
  }

  /** Answers without a service. */
  private reply(context: Context, exit: Exit): void {
    const { exchange, plugins, request, response } = context;
    if (response.destroyed || response.headersSent) return;
    const json = typeof exit.body === 'object';
    const headers: Headers = { ...exit.headers };
    if (json) headers['content-type'] = 'application/json; charset=utf-8';
    const head = this.filterHeaders(context, { status: exit.status, source: exit.source ?? 'exit', headers });
    let text = json ? JSON.stringify(exit.body) : ((exit.body as string | undefined) ?? '');
    for (const plugin of plugins) text = plugin.bodyFilter?.(exchange, head, text) ?? text;
    const body = Buffer.from(text);
    head.headers['content-length'] = String(body.length);
    response.writeHead(head.status, compact(head.headers));
    response.end(exchange.method === 'HEAD' ? undefined : body);
    discardRest(request);
  }

  private filterHeaders(context: Context, head: ResponseHead): ResponseHead {
    for (const plugin of context.plugins) plugin.headerFilter?.(context.exchange, head);
    this.metrics.requests.inc({ ...labelsOf(context), code: head.status, source: head.source });
    return head;
  }
}

/** Kong's answer to HTTP where a route is for HTTPS alone. The port is not named: HTTPS has its own. */
function otherProtocol({ route }: Match, { headers }: Exchange, { url }: IncomingMessage): Exit {
  const status = route.entry.https_redirect_status_code;
  if (status === 426)
    return {
      status,
      body: { message: 'Please use HTTPS protocol' },
      headers: { connection: 'Upgrade', upgrade: 'TLS/1.2, HTTP/1.1' },
      source: 'error',
    };
  const host = (headers.host ?? '').replace(/:\d+$/, '');
  return { status, headers: { location: `https://${host}${url!.replace(/^https?:\/\/[^/?]*/i, '')}` } };
}

function labelsOf({ match }: Context): { service: string; route: string } {
  return { service: match?.route.service?.name ?? '', route: match?.route.entry.name ?? '' };
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
}

function compact(headers: Headers): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).filter((entry): entry is [string, string | string[]] => entry[1] !== undefined),
  );
}
