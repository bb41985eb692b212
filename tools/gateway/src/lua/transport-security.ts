import type { Exchange, ResponseHead } from '../exchange';
import type { Plugin } from '../plugins/plugin';

/** The effect of post-function's second header_filter: over HTTPS, browsers are told to use nothing else for so long. */
export function keepEncrypted(text: string): Pick<Plugin, 'headerFilter'> {
  const seconds = Number(/^local seconds = (\d+)$/m.exec(text)?.[1]);
  return {
    headerFilter: (exchange: Exchange, head: ResponseHead) => {
      if (seconds > 0 && exchange.scheme === 'https')
        head.headers['strict-transport-security'] = `max-age=${seconds}`;
    },
  };
}
