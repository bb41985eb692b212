import { Body, Controller, Get, Put, Query } from '@nestjs/common';
import { presenceQuery, putPresenceBody } from '@parley/contracts';
import { type AuthenticatedUser, CurrentUser, zodPipe } from '@parley/service';
import type { z } from 'zod';
import { PresenceService } from './presence.service';

@Controller('v1/presence')
export class PresenceController {
  constructor(private readonly presence: PresenceService) {}

  @Get()
  get(@Query(zodPipe(presenceQuery)) query: z.output<typeof presenceQuery>) {
    return this.presence.get(query.userIds);
  }

  /** Answers with the caller's own entry. */
  @Put('me')
  put(
    @Body(zodPipe(putPresenceBody)) body: z.output<typeof putPresenceBody>,
    @CurrentUser() user: AuthenticatedUser,
  ) {
    return this.presence.set(user.userId, body.status);
  }
}
