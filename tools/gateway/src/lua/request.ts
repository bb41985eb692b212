import type { Exchange } from '../exchange';

const gatewayHeaders = [
  'x-rl-key',
  'x-consumer-id',
  'x-consumer-username',
  'x-consumer-custom-id',
  'x-credential-identifier',
  'x-anonymous-consumer',
];
const tokenShape = /^([\w-]+)\.([\w-]+)\.([\w-]+)$/;
type Fields = Record<string, unknown>;

/** The effect of pre-function's access: drops forged headers and unsound tokens, names the bucket of the person. */
export function prepareRequest(exchange: Exchange): undefined {
  for (const name of gatewayHeaders) delete exchange.headers[name];
  const id = exchange.header('x-request-id');
  if (id !== undefined && !/^[\w.-]{1,64}$/.test(id)) delete exchange.headers['x-request-id'];

  const authorization = exchange.header('authorization');
  const ticket = exchange.queryValues('ticket')[0];
  if (authorization === undefined && ticket === undefined) return undefined;

  const fromHeader =
    authorization === undefined
      ? undefined
      : readToken(/^[Bb]earer +(.+)$/.exec(authorization)?.[1], 'at+jwt');
  const fromQuery = ticket === undefined ? undefined : readToken(ticket, 'ticket+jwt');
  const sound = (authorization === undefined || fromHeader) && (ticket === undefined || fromQuery);
  if (!sound) {
    delete exchange.headers.authorization;
    if (ticket !== undefined) exchange.removeQuery('ticket');
    return undefined;
  }
  const subject = (fromHeader ?? fromQuery)?.sub;
  if (typeof subject === 'string' && Buffer.byteLength(subject) <= 128)
    exchange.headers['x-rl-key'] = `u:${subject}`;
  return undefined;
}

/** The effect of post-function's access: the bucket's name is the gateway's own business. */
export function forgetBucket(exchange: Exchange): undefined {
  delete exchange.headers['x-rl-key'];
}

/** The claims of a token that jwt can judge; `undefined` for one on which it would fail, or of the wrong kind. */
function readToken(token: string | true | undefined, typ: string): Fields | undefined {
  const parts = typeof token === 'string' ? tokenShape.exec(token) : null;
  if (!parts) return undefined;
  const [head, claims] = [decode(parts[1]!), decode(parts[2]!)];
  const kid = claims.kid === undefined ? head.kid : claims.kid;
  const wrongLength = head.alg === 'ES256' && parts[3]!.length !== 86;
  return typeof kid !== 'string' || head.typ !== typ || wrongLength ? undefined : claims;
}

/** An object's fields; none for anything else, a length that base64 cannot have included. */
function decode(part: string): Fields {
  if (part.length % 4 === 1) return {};
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Fields) : {};
  } catch {
    return {};
  }
}
