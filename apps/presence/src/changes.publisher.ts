import { Inject, Injectable, type BeforeApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Publisher } from '@parley/broker';
import { SERVICE_CONFIG, getLogger } from '@parley/service';
import type { Config } from './config';
import { Leadership } from './leadership';
import { Periodic } from './periodic';
import { changesTold } from './presence.metrics';
import { PresenceStore } from './presence.store.redis';

const log = getLogger('ChangesPublisher');

/** Of one bucket; what is beyond waits for the next one, so that a mass departure is spread out. */
const CHANGES_PER_BUCKET = 500;

/**
 * Tells the realtime nodes, once per bucket, whose visible status has changed. The changes wait in Redis until the turn
 * after the one that told them, so a crash in between repeats them and loses none.
 */
@Injectable()
export class ChangesPublisher implements OnModuleInit, BeforeApplicationShutdown {
  private readonly periodic: Periodic;
  private told = '0';
  private failing = false;

  constructor(
    private readonly store: PresenceStore,
    private readonly publisher: Publisher,
    private readonly leadership: Leadership,
    @Inject(SERVICE_CONFIG) config: Config,
  ) {
    this.periodic = new Periodic(config.PRESENCE_BUCKET_MS, () => this.turn());
  }

  onModuleInit(): void {
    this.periodic.start();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.periodic.stop();
  }

  private async turn(): Promise<void> {
    if (!this.leadership.isHeld()) {
      // What was told last may have been lost with the connection: then the next leader tells it again.
      this.told = '0';
      return;
    }
    try {
      const { items, revision } = await this.store.turn(this.told, CHANGES_PER_BUCKET);
      this.failing = false;
      this.told = revision;
      if (items.length === 0) return;
      this.publisher.presence(items);
      changesTold.inc(items.length);
    } catch (error) {
      if (!this.failing) log.warn({ err: error }, 'Changes cannot be told at the moment.');
      this.failing = true;
      // Redis may come back as another one, whose clock is behind.
      this.told = '0';
    }
  }
}
