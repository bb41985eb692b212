import { Controller, Delete, Get, HttpCode, Inject, Post, Res } from '@nestjs/common';
import { pageQuery, refreshBody, sessionParams, type Jwks, type Refreshed } from '@parley/contracts';
import {
  CurrentUser,
  Public,
  TokenVerifier,
  ZodBody,
  ZodParams,
  ZodQuery,
  type AuthenticatedUser,
} from '@parley/service';
import type { Response } from 'express';
import { SessionService } from './session.service';

@Controller('v1/auth')
export class SessionController {
  constructor(
    @Inject(SessionService) private readonly sessions: SessionService,
    @Inject(TokenVerifier) private readonly verifier: TokenVerifier,
  ) {}

  @Public()
  @HttpCode(200)
  @Post('refresh')
  async refresh(@ZodBody(refreshBody) { refreshToken }: { refreshToken: string }): Promise<Refreshed> {
    return { tokens: await this.sessions.refresh(refreshToken) };
  }

  @HttpCode(204)
  @Post('logout')
  logout(@CurrentUser() { userId, sessionId }: AuthenticatedUser): Promise<void> {
    return this.sessions.revoke(userId, sessionId);
  }

  @Get('sessions')
  list(
    @CurrentUser() user: AuthenticatedUser,
    @ZodQuery(pageQuery) page: { limit?: number; cursor?: string },
  ) {
    return this.sessions.list(user, page);
  }

  @HttpCode(204)
  @Delete('sessions/:sessionId')
  revoke(
    @CurrentUser() { userId }: AuthenticatedUser,
    @ZodParams(sessionParams) { sessionId }: { sessionId: string },
  ): Promise<void> {
    return this.sessions.revoke(userId, sessionId);
  }

  @Post('realtime-tickets')
  ticket(@CurrentUser() user: AuthenticatedUser) {
    return this.sessions.ticketFor(user);
  }

  @Public()
  @Get('.well-known/jwks.json')
  jwks(@Res({ passthrough: true }) response: Response): Jwks {
    // Rotation publishes a key long before it signs with it.
    response.setHeader('Cache-Control', 'public, max-age=300');
    return this.verifier.publicKeys.jwks;
  }
}
