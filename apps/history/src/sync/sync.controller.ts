import { Controller, HttpCode, Post } from '@nestjs/common';
import { composeSync, Requester } from '@parley/broker';
import { type SyncPayload, syncPayload, type SyncResult } from '@parley/contracts';
import { type AuthenticatedUser, CurrentUser, ZodBody } from '@parley/service';
import { SyncService } from './sync.service';

/** `sync` over HTTP, for apps that were woken by a push and hold no socket. */
@Controller('v1/sync')
export class SyncController {
  constructor(
    private readonly service: SyncService,
    private readonly requester: Requester,
  ) {}

  @Post()
  @HttpCode(200)
  sync(
    @CurrentUser() { userId }: AuthenticatedUser,
    @ZodBody(syncPayload) payload: SyncPayload,
  ): Promise<SyncResult> {
    return composeSync(userId, payload, {
      conversations: (data) => this.service.sync(data),
      account: (data) => this.requester.query('messaging.account', data),
    });
  }
}
