import { Controller, Delete, Inject, Put } from '@nestjs/common';
import { Requester } from '@parley/broker';
import { conversationParams, readBody, unreadBody } from '@parley/contracts';
import { CurrentUser, ZodBody, ZodParams, type AuthenticatedUser } from '@parley/service';
import type { z } from 'zod';

type Params = z.output<typeof conversationParams>;

/** The HTTP door for read marks. */
@Controller('v1/conversations/:conversationId')
export class MarkController {
  constructor(@Inject(Requester) private readonly requester: Requester) {}

  @Put('read')
  read(
    @ZodParams(conversationParams) params: Params,
    @ZodBody(readBody) { number }: z.output<typeof readBody>,
    @CurrentUser() user: AuthenticatedUser,
  ) {
    return this.requester.command('read.mark', { ...params, actorId: user.userId, number });
  }

  @Put('unread')
  unread(
    @ZodParams(conversationParams) params: Params,
    @ZodBody(unreadBody) { fromNumber }: z.output<typeof unreadBody>,
    @CurrentUser() user: AuthenticatedUser,
  ) {
    return this.requester.command('unread.set', { ...params, actorId: user.userId, fromNumber });
  }

  @Delete('unread')
  clear(@ZodParams(conversationParams) params: Params, @CurrentUser() user: AuthenticatedUser) {
    return this.requester.command('unread.set', { ...params, actorId: user.userId, fromNumber: null });
  }
}
