import { Controller } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import type { QueryData, QueryReply } from '@parley/contracts';
import { SyncService } from './sync.service';

/** What realtime asks for the sockets that it holds. */
@Controller()
export class SyncConsumer {
  constructor(private readonly service: SyncService) {}

  @MessagePattern('history.sync')
  sync(@Payload() data: QueryData<'history.sync'>): Promise<QueryReply<'history.sync'>> {
    return this.service.sync(data);
  }
}
