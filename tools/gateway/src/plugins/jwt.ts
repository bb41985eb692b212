import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import type { ConsumerEntry } from '../config/entity.schema';
import type { ConfigOf } from '../config/plugin.schema';
import type { Exchange, Exit } from '../exchange';
import type { Plugin } from './plugin';

interface Credential {
  key: string;
  algorithm: 'ES256';
  publicKey: KeyObject;
  username: string;
}
type Claims = Record<string, unknown>;
interface Verified {
  claims: Claims;
  credential: Credential;
}

const identityHeaders = [
  'x-consumer-id',
  'x-consumer-custom-id',
  'x-consumer-username',
  'x-credential-identifier',
  'x-anonymous-consumer',
];
const VERIFIED_TOKENS_MAX = 10_000;

export function readCredentials(consumers: ConsumerEntry[]): Map<string, Credential> {
  return new Map(
    consumers.flatMap(({ username, jwt_secrets }) =>
      jwt_secrets.map(({ key, algorithm, rsa_public_key }) => [
        key,
        { key, algorithm, publicKey: createPublicKey(rsa_public_key), username },
      ]),
    ),
  );
}

/** Signatures that were right once, for one set of credentials; times are checked again at every use. */
export class VerifiedTokens {
  private readonly byToken = new Map<string, Verified>();

  constructor(readonly credentials: ReadonlyMap<string, Credential>) {}

  find(token: string, keyName: string): Verified | undefined {
    return this.byToken.get(`${keyName} ${token}`);
  }

  keep(token: string, keyName: string, verified: Verified): void {
    if (this.byToken.size >= VERIFIED_TOKENS_MAX) this.byToken.delete(this.byToken.keys().next().value!);
    this.byToken.set(`${keyName} ${token}`, verified);
  }
}

/** Kong's jwt plugin: the key is found by a claim or header field of the token, times are checked without leeway. */
export class JwtPlugin implements Plugin {
  readonly name = 'jwt';
  private readonly challenge: string;

  /** `verified` may be shared by all plugins with the same credentials. */
  constructor(
    private readonly config: ConfigOf<'jwt'>,
    private readonly verified: VerifiedTokens,
  ) {
    this.challenge = config.realm ? `Bearer realm="${config.realm}"` : 'Bearer';
  }

  access(exchange: Exchange): Exit | undefined {
    if (!this.config.run_on_preflight && exchange.method === 'OPTIONS') return undefined;
    const tokens = this.findTokens(exchange);
    if (tokens.size === 0) return unauthorized('Unauthorized', this.challenge);
    if (tokens.size > 1) return this.refuse('Multiple tokens provided');
    const [token] = tokens;
    if (typeof token !== 'string') return this.refuse('Unrecognizable token');

    const found = this.verified.find(token, this.config.key_claim_name) ?? this.check(token);
    if ('status' in found) return found;
    const refused = this.checkTimes(found.claims);
    if (refused) return refused;

    for (const name of identityHeaders) delete exchange.headers[name];
    exchange.headers['x-consumer-username'] = found.credential.username;
    exchange.headers['x-credential-identifier'] = found.credential.key;
    return undefined;
  }

  private findTokens(exchange: Exchange): Set<string | true> {
    const tokens = new Set<string | true>();
    for (const name of this.config.uri_param_names)
      for (const value of exchange.queryValues(name)) tokens.add(value);
    for (const name of this.config.header_names) {
      const match = /\s*[Bb]earer\s+(.+)/.exec(exchange.header(name.toLowerCase()) ?? '');
      if (match) tokens.add(match[1]!);
    }
    return tokens;
  }

  private check(token: string): Verified | Exit {
    const parts = token.split('.');
    const [head, claims] = [decode(parts[0]), decode(parts[1])];
    if (parts.length !== 3 || !head || !claims) return this.refuse('Bad token; invalid JSON');
    const name = this.config.key_claim_name;
    const key = claims[name] || head[name];
    if (key === undefined || key === null || key === false)
      return this.refuse(`No mandatory '${name}' in claims`);
    if (typeof key !== 'string') return unexpected();
    const credential = this.verified.credentials.get(key);
    if (!credential) return this.refuse(`No credentials found for given '${name}'`);
    if (head.alg !== credential.algorithm) return this.refuse('Invalid algorithm');

    const signature = Buffer.from(parts[2]!, 'base64url');
    // Kong fails here instead of refusing; its configuration must keep such tokens away, and so must the stand-in's.
    if (signature.length !== 64) return unexpected();
    if (!isSigned(credential, `${parts[0]}.${parts[1]}`, signature)) return this.refuse('Invalid signature');

    const verified = { claims, credential };
    this.verified.keep(token, name, verified);
    return verified;
  }

  private checkTimes(claims: Claims): Exit | undefined {
    const nowSeconds = Math.floor(Date.now() / 1000);
    const errors: Record<string, string> = {};
    for (const name of this.config.claims_to_verify) {
      const value = claims[name];
      if (typeof value !== 'number') errors[name] = 'must be a number';
      else if (name === 'exp' && value <= nowSeconds) errors.exp = 'token expired';
      else if (name === 'nbf' && value > nowSeconds) errors.nbf = 'token not valid yet';
    }
    const { maximum_expiration: maximum } = this.config;
    if (Object.keys(errors).length === 0 && maximum > 0) {
      const exp = claims.exp;
      if (typeof exp !== 'number' || exp - nowSeconds > maximum)
        errors.exp = 'exceeds maximum allowed expiration';
    }
    return Object.keys(errors).length === 0 ? undefined : { ...this.refuse(''), body: errors };
  }

  private refuse(message: string): Exit {
    return unauthorized(message, `${this.challenge} error="invalid_token"`);
  }
}

function unauthorized(message: string, challenge: string): Exit {
  return { status: 401, body: { message }, headers: { 'www-authenticate': challenge } };
}

function unexpected(): Exit {
  return { status: 500, body: { message: 'An unexpected error occurred' }, source: 'error' };
}

function decode(part: string | undefined): Claims | undefined {
  if (!part || !/^[\w-]+$/.test(part)) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Claims) : undefined;
  } catch {
    return undefined;
  }
}

function isSigned({ publicKey }: Credential, text: string, signature: Buffer): boolean {
  return verify('sha256', Buffer.from(text), { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);
}
