import type { IncomingMessage } from 'node:http';
import { ParleyError, PROTOCOL, type CloseReason } from '@parley/contracts';
import type { TokenClaims, TokenVerifier } from '@parley/service';
import type { Config } from '../config';
import type { Cluster } from './cluster';
import type { Identity } from './session';

/** What a connection's token was good for. A refusal is told on the open socket: browsers see no answer to an upgrade. */
export type Verdict =
  { identity: Identity; refusal?: undefined } | { identity?: undefined; refusal: CloseReason };

const verdicts = new WeakMap<IncomingMessage, Verdict>();
const TICKET_KEPT_MS = 30_000;
const BEARER = /^Bearer +(\S+)$/i;

/** Looks at an upgrade before there is a socket: where it comes from and whom its token speaks for. */
export class Handshake {
  constructor(
    private readonly config: Config,
    private readonly verifier: TokenVerifier,
    private readonly cluster: Cluster,
  ) {}

  /** Whether a page of this origin may connect. Programs other than browsers send no origin. */
  admitsOrigin({ headers: { origin } }: IncomingMessage): boolean {
    const { WEB_ORIGINS: allowed } = this.config;
    return origin === undefined || allowed.has(origin) || allowed.has('*');
  }

  /** Finds the verdict and keeps it with the request, until the socket asks. */
  async examine(request: IncomingMessage): Promise<void> {
    verdicts.set(request, await this.judge(request));
  }

  verdictOf(request: IncomingMessage): Verdict {
    return verdicts.get(request) ?? { refusal: 'unauthenticated' };
  }

  /** Checks the token of `auth:refresh`. @throws ParleyError `token_expired` or `unauthenticated` */
  async identify(accessToken: string): Promise<Identity> {
    return toIdentity(await this.verifier.verifyAccessToken(accessToken));
  }

  private async judge(request: IncomingMessage): Promise<Verdict> {
    const query = new URL(request.url ?? '', 'http://realtime').searchParams;
    const protocol = query.get('protocol');
    if (protocol !== null && protocol !== String(PROTOCOL)) return { refusal: 'protocol_unsupported' };
    const token = BEARER.exec(request.headers.authorization ?? '')?.[1];
    const ticket = query.get('ticket');
    try {
      if (token !== undefined) return { identity: await this.identify(token) };
      if (ticket !== null) return await this.judgeTicket(ticket);
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
    }
    return { refusal: 'unauthenticated' };
  }

  private async judgeTicket(ticket: string): Promise<Verdict> {
    const claims = await this.verifier.verifyTicket(ticket);
    if (!(await this.isFirstUse(claims.tokenId))) return { refusal: 'unauthenticated' };
    return { identity: { ...toIdentity(claims), expiresAtMs: Date.now() + this.config.TICKET_SESSION_MS } };
  }

  /** Without Redis nobody can tell: the ticket's own 30 seconds are the bound then. */
  private async isFirstUse(ticketId: string): Promise<boolean> {
    try {
      const key = `parley:realtime:ticket:${ticketId}`;
      return (await this.cluster.redis.set(key, '1', 'PX', TICKET_KEPT_MS, 'NX')) === 'OK';
    } catch {
      return true;
    }
  }
}

function toIdentity({ userId, sessionId, expiresAt }: TokenClaims): Identity {
  return { userId, sessionId, expiresAtMs: expiresAt.getTime() };
}
