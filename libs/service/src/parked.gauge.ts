import type { Abstract, FactoryProvider, Type } from '@nestjs/common';
import { COUNTED_MAX, gauge } from './metrics';

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
      gauge(name, `Events that are parked now, ${COUNTED_MAX} at most.`, [], async function () {
        this.set(await count(parked, COUNTED_MAX));
      }),
  };
}
