import { Controller, Inject } from '@nestjs/common';
import { MessagePattern, Payload } from '@nestjs/microservices';
import { countWithin, PAGE_CHARACTERS_MAX } from '@parley/broker';
import type { LogEvent, QueryData, QueryReply } from '@parley/contracts';
import { PARTITIONS } from '@parley/contracts';
import { Deployment } from '../log/deployment';
import { LogReader } from '../log/log.store';
import { AccountReader } from './account.reader';
import { JoinReader } from './join.reader';

const REPLAY_ROWS_MAX = 500;

/** The broker's door for reads: any instance answers. */
@Controller()
export class QueryConsumer {
  constructor(
    @Inject(JoinReader) private readonly joins: JoinReader,
    @Inject(AccountReader) private readonly accounts: AccountReader,
    @Inject(LogReader) private readonly log: LogReader,
    @Inject(Deployment) private readonly deployment: Deployment,
  ) {}

  @MessagePattern('messaging.join')
  join(@Payload() { userId }: QueryData<'messaging.join'>): Promise<QueryReply<'messaging.join'>> {
    return this.joins.join(userId);
  }

  @MessagePattern('messaging.account')
  account(@Payload() data: QueryData<'messaging.account'>): Promise<QueryReply<'messaging.account'>> {
    return this.accounts.changes(data.userId, data.cursor, data.limit);
  }

  @MessagePattern('messaging.membership')
  async membership(
    @Payload() data: QueryData<'messaging.membership'>,
  ): Promise<QueryReply<'messaging.membership'>> {
    return { memberOf: await this.joins.membership(data.userId, data.conversationIds) };
  }

  /**
   * No row that the projection does not reflect yet, though the log may have it: a node that had applied one would count it
   * as reflected by the memberships that it reads for its sockets afterwards. Of large rows a page holds fewer.
   */
  @MessagePattern('messaging.replay')
  async replay(@Payload() data: QueryData<'messaging.replay'>): Promise<QueryReply<'messaging.replay'>> {
    const { partition, after } = data;
    const limit = Math.min(data.limit, REPLAY_ROWS_MAX);
    const [positions, stored] = await Promise.all([
      this.log.positions([partition]),
      limit > 0 ? this.log.read(partition, after, limit) : [],
    ]);
    const head = positions.get(partition) ?? 0;
    const projected = stored.filter(({ position }) => position <= head);
    const count = countWithin(projected, PAGE_CHARACTERS_MAX, ({ event }) => event.length);
    const rows = projected.slice(0, count).map(({ event }) => JSON.parse(event) as LogEvent);
    return { epoch: this.deployment.epoch, head, rows };
  }

  @MessagePattern('messaging.epoch')
  epoch(): QueryReply<'messaging.epoch'> {
    return { epoch: this.deployment.epoch, partitions: PARTITIONS };
  }
}
