import type { PluginName } from '../config/plugin.schema';
import type { Exchange, Exit, ResponseHead } from '../exchange';

/** Kong 3.9's order: the higher runs first, in every phase. */
export const priorities: Record<PluginName, number> = {
  'pre-function': 1_000_000,
  'correlation-id': 100_001,
  cors: 2000,
  jwt: 1450,
  'request-size-limiting': 951,
  'rate-limiting': 910,
  prometheus: 13,
  'request-termination': 2,
  'post-function': -1000,
};

/** One configured plugin. Phases that it does not have are absent. */
export interface Plugin {
  readonly name: PluginName;
  /** May change the request. An exit ends the phase; the later ones still run, for every plugin of the request. */
  access?(exchange: Exchange): Exit | undefined | Promise<Exit | undefined>;
  /** May change status line and headers of any answer, the service's included. */
  headerFilter?(exchange: Exchange, head: ResponseHead): void;
  /** Rewrites the body of an answer that the gateway made. */
  bodyFilter?(exchange: Exchange, head: ResponseHead, body: string): string;
}
