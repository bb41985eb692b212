import { Injectable, type OnModuleInit } from '@nestjs/common';
import { gauge } from '@parley/service';
import { ViewFeedStore } from '../view/view.store';

/** No alert needs to know how many there are beyond this, and each scrape counts them. */
const countMax = 10_000;

/** Says for as long as events are parked that they are: every instance says it of all. */
@Injectable()
export class ParkedGauge implements OnModuleInit {
  constructor(private readonly store: ViewFeedStore) {}

  onModuleInit(): void {
    const { store } = this;
    gauge('history_parked_events', 'Events that are parked now, 10000 at most.', [], async function () {
      this.set(await store.countParked(countMax));
    });
  }
}
