import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Exchange, Headers } from '../exchange';
import type { Origin } from './origin';

const hopByHop = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

/** What the service sees: the client's headers after the plugins, and where the request came from. */
export function upstreamHeaders(
  exchange: Exchange,
  request: IncomingMessage,
  origin: Origin,
  targetName: string,
): Headers {
  const headers: Headers = { ...exchange.headers };
  dropHopByHop(headers, exchange.headers.connection);
  const host = exchange.headers.host ?? '';
  const before = exchange.headers['x-forwarded-for'];
  headers['x-forwarded-for'] = before ? `${[before].flat().join(', ')}, ${origin.peer}` : origin.peer;
  headers['x-real-ip'] = origin.address;
  const own = {
    'x-forwarded-proto': exchange.scheme,
    'x-forwarded-host': host.replace(/:\d+$/, ''),
    'x-forwarded-port': String(request.socket.localPort ?? ''),
    'x-forwarded-path': request.url!.split('?', 1)[0],
  };
  // Of a proxy of ours they are kept: it saw how the client came.
  for (const [name, value] of Object.entries(own))
    if (!origin.trusted || headers[name] === undefined) headers[name] = value;
  headers.via = [exchange.headers.via ?? [], '1.1 gateway'].flat().join(', ');
  headers.host = exchange.route!.entry.preserve_host ? host : targetName;
  delete headers.expect;
  return headers;
}

/** What the client sees of a service's headers, before the plugins add theirs. */
export function downstreamHeaders(from: IncomingHttpHeaders): Headers {
  const headers: Headers = { ...from };
  dropHopByHop(headers, from.connection);
  return headers;
}

function dropHopByHop(headers: Headers, connection: string | undefined): void {
  if (connection) for (const name of connection.toLowerCase().split(',')) delete headers[name.trim()];
  for (const name of hopByHop) delete headers[name];
}
