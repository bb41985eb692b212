import { Inject, Injectable } from '@nestjs/common';
import { Requester } from '@parley/broker';

const askAgainMs = 1000;

/** The deployment's epoch, learnt only from messaging: through the feed, or by asking where this instance feeds nothing. */
@Injectable()
export class EpochSource {
  private epoch?: string;
  private asking?: Promise<string>;
  private askedAt = -Infinity;

  constructor(@Inject(Requester) private readonly requester: Pick<Requester, 'query'>) {}

  /** The feed heard it from messaging. */
  learn(epoch: string): void {
    this.epoch = epoch;
  }

  /** @throws ParleyError `unavailable` while it is not known and messaging does not answer */
  async current(): Promise<string> {
    return this.epoch ?? this.ask();
  }

  /**
   * Whether state of this epoch is the deployment's. One that is not known yet is believed, so that reads go on without messaging;
   * an empty one is of no epoch.
   *
   * @throws ParleyError `unavailable` while it is another than the one that is known, and messaging does not answer
   */
  async isInForce(epoch: string): Promise<boolean> {
    if (epoch === '') return false;
    return this.epoch === undefined || this.epoch === epoch || (await this.confirm()) === epoch;
  }

  /** State of another epoch was seen: asks messaging again, at most once a second. */
  async confirm(): Promise<string> {
    if (this.epoch !== undefined && performance.now() - this.askedAt < askAgainMs) return this.epoch;
    return this.ask();
  }

  private ask(): Promise<string> {
    this.asking ??= this.requester
      .query('messaging.epoch', {})
      .then(({ epoch }) => {
        this.askedAt = performance.now();
        this.epoch = epoch;
        return epoch;
      })
      .finally(() => {
        this.asking = undefined;
      });
    return this.asking;
  }
}
