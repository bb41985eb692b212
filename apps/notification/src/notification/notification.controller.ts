import { Body, Controller, Get, Put, Query } from '@nestjs/common';
import { notificationsQuery, readNotificationsBody } from '@parley/contracts';
import { type AuthenticatedUser, CurrentUser, zodPipe } from '@parley/service';
import type { z } from 'zod';
import { NotificationService } from './notification.service';

@Controller('v1/notifications')
export class NotificationController {
  constructor(private readonly notifications: NotificationService) {}

  @Get()
  list(
    @CurrentUser() user: AuthenticatedUser,
    @Query(zodPipe(notificationsQuery)) query: z.output<typeof notificationsQuery>,
  ) {
    return this.notifications.list(user.userId, query);
  }

  @Put('read')
  read(
    @CurrentUser() user: AuthenticatedUser,
    @Body(zodPipe(readNotificationsBody)) body: z.output<typeof readNotificationsBody>,
  ) {
    return this.notifications.read(user.userId, body);
  }
}
