import {
  Inject,
  Injectable,
  Optional,
  SetMetadata,
  createParamDecorator,
  type CanActivate,
  type ExecutionContext,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { ParleyError } from '@parley/contracts';
import type { Request } from 'express';
import { TokenVerifier } from './token';

export interface AuthenticatedUser {
  userId: string;
  sessionId: string;
}

const publicKey = 'parley:public';

/** Marks a route (or controller) that needs no access token. Everything else does. */
export const Public = () => SetMetadata(publicKey, true);

/** The caller: `{userId, sessionId}`. Only where the route is not public. */
export const CurrentUser = createParamDecorator((_data: unknown, context: ExecutionContext) => {
  const user = context.switchToHttp().getRequest<AuthenticatedRequest>().user;
  if (!user) throw new ParleyError('unauthenticated');
  return user;
});

type AuthenticatedRequest = Request & { user?: AuthenticatedUser };

/** From the beginning on, so that it takes no longer the longer the header is; passport-jwt's own looks for one from every character. */
const BEARER = /^Bearer +(\S+)$/i;

function bearer({ headers: { authorization } }: Request): string | undefined {
  return authorization === undefined ? undefined : BEARER.exec(authorization)?.[1];
}

/**
 * Lets only holders of a valid access token through, on every HTTP route of every service that is not `@Public()`. The
 * gateway has checked the token before; a service trusts nobody's word for it. Sockets and broker messages are checked
 * at their own doors.
 */
@Injectable()
export class AccessTokenGuard implements CanActivate {
  constructor(
    @Inject(Reflector) private readonly reflector: Reflector,
    @Optional() @Inject(TokenVerifier) private readonly verifier?: TokenVerifier,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http') return true;
    const isPublic = this.reflector.getAllAndOverride<boolean>(publicKey, [
      context.getHandler(),
      context.getClass(),
    ]);
    if (isPublic) return true;
    const request = context.switchToHttp().getRequest<AuthenticatedRequest>();
    const token = bearer(request);
    if (!token || !this.verifier) throw new ParleyError('unauthenticated', 'An access token is required.');
    const { userId, sessionId } = await this.verifier.verifyAccessToken(token);
    request.user = { userId, sessionId };
    return true;
  }
}
