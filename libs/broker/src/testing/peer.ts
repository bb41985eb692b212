import { randomUUID } from 'node:crypto';
import type { ServiceName } from '@parley/contracts';
import type { MessageHandler } from '@nestjs/microservices';
import { Broker } from '../broker';
import { ControlInbox } from '../control';
import { Membership } from '../membership';
import { Publisher } from '../publisher';
import { Requester } from '../requester';
import type { RequestContext, Serves } from '../strategy';
import { BrokerStrategy } from '../strategy';

type Handler = (data: never, context: RequestContext) => unknown;

const quiet = { info() {}, warn() {}, error() {} };

/** One instance of a service with everything of this library, without the rest of a service. */
export class Peer {
  readonly broker: Broker;
  /** Envelopes that it did not read, as `kind reason`. */
  readonly refused: string[] = [];
  /** How many messages and answers it did not send for their size. */
  tooLarge = 0;
  readonly control: ControlInbox;
  readonly membership: Membership;
  readonly requester: Requester;
  readonly publisher: Publisher;
  strategy?: BrokerStrategy;

  constructor(
    url: string,
    service: ServiceName,
    readonly instanceId: string = randomUUID(),
  ) {
    const onRefused = (kind: string, reason: string) => {
      this.refused.push(`${kind} ${reason}`);
      this.broker.emit('refused');
    };
    const onTooLarge = () => (this.tooLarge += 1);
    this.broker = new Broker({
      url,
      service,
      instanceId: this.instanceId,
      logger: quiet,
      onRefused,
      onTooLarge,
    });
    this.control = new ControlInbox(this.broker);
    this.membership = new Membership(this.broker, this.control);
    this.requester = new Requester(this.broker, this.control);
    this.publisher = new Publisher(this.broker);
  }

  /** Connects; handlers answer patterns as a Nest application's would. */
  async start(serves: Serves = {}, handlers: Record<string, Handler> = {}): Promise<this> {
    const strategy = (this.strategy = new BrokerStrategy(this.broker, serves));
    for (const [pattern, handler] of Object.entries(handlers)) {
      const callback = (data: never, context: RequestContext) => Promise.resolve(handler(data, context));
      strategy.addHandler(pattern, callback as unknown as MessageHandler);
    }
    strategy.listen(() => undefined);
    await this.broker.whenConnected();
    this.membership.start();
    return this;
  }

  /** Says which partitions this instance owns. */
  own(open: Record<number, number>, closing: Record<number, number> = {}): void {
    this.publisher.owner({ instanceId: this.instanceId, open, closing });
  }

  async stop(): Promise<void> {
    this.membership.leave();
    this.requester.stop();
    await this.broker.stop();
  }
}
