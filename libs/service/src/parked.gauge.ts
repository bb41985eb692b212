import type { Abstract, FactoryProvider, Type } from '@nestjs/common';
import { gauge } from './metrics';

/** No alert needs to know how many there are beyond this, and each scrape counts them. */
const countMax = 10_000;

const parkedGaugeToken = Symbol('ParkedGauge');

/**
 * For the module of an app that parks events: the metric `name` says for as long as events are parked that they are. Every
 * instance says it of all.
 *
 * @param store the provider that holds them
 * @param count how many it holds; it need not count beyond its second argument
 */
export function parkedGauge<Store>(
  name: `${string}_parked_events`,
  store: Type<Store> | Abstract<Store>,
  count: (store: Store, countMax: number) => Promise<number>,
): FactoryProvider {
  return {
    provide: parkedGaugeToken,
    inject: [store],
    useFactory: (parked: Store) =>
      gauge(name, `Events that are parked now, ${countMax} at most.`, [], async function () {
        this.set(await count(parked, countMax));
      }),
  };
}
