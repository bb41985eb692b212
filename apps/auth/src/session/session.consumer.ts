import { Controller, Inject } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import type { QueryData, QueryReply } from '@parley/contracts';
import { SessionService } from './session.service';

/** Answers other services' questions about sessions. */
@Controller()
export class SessionConsumer {
  constructor(@Inject(SessionService) private readonly sessions: SessionService) {}

  @MessagePattern('auth.sessions')
  async liveAmong({ ids }: QueryData<'auth.sessions'>): Promise<QueryReply<'auth.sessions'>> {
    return { live: await this.sessions.liveAmong(ids) };
  }
}
