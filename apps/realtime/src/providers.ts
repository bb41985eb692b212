import type { FactoryProvider, InjectionToken } from '@nestjs/common';

type Tokens<P> = { [K in keyof P]: InjectionToken<P[K]> };

/** Provides a class by what its constructor takes, one after the other. */
export function provided<A extends unknown[], T>(
  type: new (...parts: A) => T,
  ...tokens: Tokens<A>
): FactoryProvider<T> {
  return { provide: type, useFactory: (...parts: unknown[]) => new type(...(parts as A)), inject: tokens };
}

/** Provides a class whose constructor takes its parts by name. */
export function assembled<P extends object, T>(
  type: new (parts: P) => T,
  tokens: Tokens<P>,
): FactoryProvider<T> {
  const names = Object.keys(tokens) as (keyof P)[];
  return {
    provide: type,
    useFactory: (...parts: unknown[]) =>
      new type(Object.fromEntries(names.map((name, i) => [name, parts[i]])) as P),
    inject: names.map((name) => tokens[name]),
  };
}
