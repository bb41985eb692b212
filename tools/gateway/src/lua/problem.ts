import type { Exchange, ResponseHead } from '../exchange';

const codes: Record<number, string> = {
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  413: 'payload_too_large',
  417: 'payload_too_large',
  429: 'rate_limited',
  502: 'unavailable',
  503: 'unavailable',
  504: 'unavailable',
};
const titles: Record<string, string> = {
  invalid_request: 'Invalid request',
  unauthenticated: 'Unauthenticated',
  token_expired: 'Token expired',
  forbidden: 'Forbidden',
  not_found: 'Not found',
  payload_too_large: 'Payload too large',
  rate_limited: 'Too many requests',
  unavailable: 'Unavailable',
  internal: 'Internal error',
};

/** The effect of post-function's header_filter: the gateway's own refusals are problem+json and say when to retry. */
export function markProblem(exchange: Exchange, head: ResponseHead): void {
  if (head.status < 400 || head.source === 'service') return;
  head.headers['content-type'] = 'application/problem+json';
  delete head.headers['content-length'];
  if (head.status === 429 || head.status >= 502) head.headers['retry-after'] ??= '1';
  exchange.problem = true;
}

/** The effect of post-function's body_filter: Kong's `{message}` becomes the contract's problem. */
export function writeProblem(exchange: Exchange, head: ResponseHead, body: string): string {
  if (!exchange.problem) return body;
  const said = parse(body);
  let code = codes[head.status] ?? (head.status >= 500 ? 'internal' : 'invalid_request');
  let detail = said.message;
  if (head.status === 401 && said.exp === 'token expired') {
    code = 'token_expired';
    detail = 'The token has expired.';
  } else if (said.exp ?? said.nbf) {
    detail = said.exp ? `exp: ${String(said.exp)}` : `nbf: ${String(said.nbf)}`;
  }
  if (typeof detail !== 'string') detail = titles[code];
  return JSON.stringify({
    type: `urn:parley:problem:${code}`,
    title: titles[code],
    status: head.status,
    detail,
    code,
    requestId: head.headers['x-request-id'],
  });
}

function parse(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
