import { ParleyError, id } from '@parley/contracts';
import { Strategy, type StrategyOptionsWithoutRequest } from 'passport-jwt';
import { z } from 'zod';
import type { TokenConfig } from './config';
import { PublicKeys } from './keys';

/** Who a checked token speaks for. */
export interface TokenClaims {
  userId: string;
  sessionId: string;
  /** The token's own id (`jti`): single-use tickets are remembered by it. */
  tokenId: string;
  expiresAt: Date;
}

/** The `typ` header of each kind, so that one kind never passes for the other. */
export const tokenTypes = { access: 'at+jwt', ticket: 'ticket+jwt' } as const;
export type TokenKind = keyof typeof tokenTypes;

const header = z.object({ alg: z.literal('ES256'), kid: z.string(), typ: z.string() });

const claims = z.object({
  sub: id,
  sid: id,
  jti: z.string().min(1).max(128),
  iat: z.number(),
  nbf: z.number(),
  exp: z.number(),
});

const tokenCharsMax = 4096;

/** Passport strategies answer by calling one of these; passport itself would bind them to a request. */
interface Attempt {
  success(user: TokenClaims): void;
  fail(reason: unknown): void;
  error(error: unknown): void;
  authenticate(request: { token: string }): void;
}

/**
 * Checks access tokens and realtime tickets by passport-jwt: ES256 only, `typ`, `kid`, `iss`, `aud`, `nbf`, `exp`, and our
 * own claims. Used by the HTTP guard and by the socket door alike, so that there is one check.
 */
export class TokenVerifier {
  private readonly keys: PublicKeys;
  private readonly strategies: Record<TokenKind, Strategy>;

  constructor(config: TokenConfig) {
    this.keys = new PublicKeys(config.JWT_PUBLIC_KEYS_FILE);
    this.strategies = { access: this.strategy('access', config), ticket: this.strategy('ticket', config) };
  }

  /** @throws ParleyError `token_expired` or `unauthenticated` */
  verifyAccessToken(token: string): Promise<TokenClaims> {
    return this.verify('access', token);
  }

  /**
   * Checks form, signature and time. That a ticket is good for one socket only is the caller's to see to, by `tokenId`.
   *
   * @throws ParleyError `token_expired` or `unauthenticated`
   */
  verifyTicket(ticket: string): Promise<TokenClaims> {
    return this.verify('ticket', ticket);
  }

  /** The public keys in use, for the service that publishes them. */
  get publicKeys(): PublicKeys {
    return this.keys;
  }

  close(): void {
    this.keys.close();
  }

  private verify(kind: TokenKind, token: string): Promise<TokenClaims> {
    return new Promise((resolve, reject) => {
      const attempt = Object.create(this.strategies[kind]) as Attempt;
      attempt.success = resolve;
      attempt.fail = (reason) => reject(refusal(reason));
      attempt.error = (error) => reject(refusal(error));
      attempt.authenticate({ token });
    });
  }

  private strategy(kind: TokenKind, config: TokenConfig): Strategy {
    const options: StrategyOptionsWithoutRequest = {
      jwtFromRequest: (request) => (request as unknown as { token: string }).token,
      secretOrKeyProvider: (_request, token: string, done) => {
        const key = this.keyFor(tokenTypes[kind], token);
        // The typings know strings and buffers only; a parsed key saves parsing it for every token.
        if (key) done(null, key as unknown as string);
        else done(new Error('No key fits this token.'));
      },
      algorithms: ['ES256'],
      issuer: config.JWT_ISSUER,
      audience: config.JWT_AUDIENCE,
    };
    return new Strategy(options, (payload: unknown, done: (error: unknown, user?: TokenClaims) => void) => {
      const result = claims.safeParse(payload);
      if (!result.success) return done(new Error('The token lacks a claim.'));
      const { sub, sid, jti, exp } = result.data;
      return done(null, { userId: sub, sessionId: sid, tokenId: jti, expiresAt: new Date(exp * 1000) });
    });
  }

  private keyFor(type: string, token: string) {
    if (token.length > tokenCharsMax) return undefined;
    const encoded = token.slice(0, token.indexOf('.'));
    let decoded: unknown;
    try {
      decoded = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'));
    } catch {
      return undefined;
    }
    const result = header.safeParse(decoded);
    return result.success && result.data.typ === type ? this.keys.find(result.data.kid) : undefined;
  }
}

/** Callers learn only whether a fresh token would help. */
function refusal(reason: unknown): ParleyError {
  if (reason instanceof Error && reason.name === 'TokenExpiredError') {
    return new ParleyError('token_expired', 'The token has expired.');
  }
  return new ParleyError('unauthenticated', 'The token is missing or not valid.');
}
