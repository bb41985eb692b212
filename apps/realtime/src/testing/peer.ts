import { randomUUID } from 'node:crypto';
import { Broker, BrokerStrategy, ControlInbox, Membership, Publisher, type Serves } from '@parley/broker';
import type { CommandData, CommandName, QueryData, QueryName, ServiceName } from '@parley/contracts';
import { getLogger } from '@parley/service';

type Name = CommandName | QueryName;
type Data<N extends Name> = N extends CommandName
  ? CommandData<N>
  : N extends QueryName
    ? QueryData<N>
    : never;

/** Another service as a realtime node sees it: its heartbeats, its answers, what it tells. Over a real broker. Specs only. */
export class Peer {
  readonly instanceId: string;
  readonly publisher: Publisher;
  readonly broker: Broker;
  readonly control: ControlInbox;
  private readonly membership: Membership;
  private readonly strategy: BrokerStrategy;

  constructor(url: string, service: ServiceName, serves: Serves) {
    this.instanceId = `${service}-${randomUUID()}`;
    this.broker = new Broker({ url, service, instanceId: this.instanceId, logger: getLogger('Peer') });
    this.control = new ControlInbox(this.broker);
    this.membership = new Membership(this.broker, this.control);
    this.publisher = new Publisher(this.broker);
    this.strategy = new BrokerStrategy(this.broker, serves);
  }

  answer<N extends Name>(name: N, handle: (data: Data<N>) => object | Promise<object>): void {
    this.strategy.addHandler(name, async (data: unknown) => handle(data as Data<N>));
  }

  listen(exchange: string, handle: (body: unknown) => void): void {
    this.strategy.addHandler(exchange, async (body: unknown) => handle(body), true);
  }

  get membershipOf(): Membership {
    return this.membership;
  }

  async start(): Promise<void> {
    this.strategy.listen(() => undefined);
    await this.broker.whenConnected();
    this.membership.start();
  }

  async stop(): Promise<void> {
    this.membership.leave();
    await this.broker.stop();
  }
}
