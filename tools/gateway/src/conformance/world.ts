import { randomUUID } from 'node:crypto';
import type { Send, Reply, OpenedSocket } from './client';
import { openSocket, send } from './client';
import { startEcho, type EchoService } from './echo';
import { makeTicket, makeToken, type SuiteKey, type TokenOptions } from './keys';

/** What a rendered test configuration says about the world that it expects. Written beside it, read before a run. */
export interface SuiteState {
  part: 'points' | 'contract';
  keys: SuiteKey[];
  /** The ports on which the suite's echo services listen, by name. */
  echoPorts: Record<string, number>;
  /** A port on which nobody listens. */
  deadPort: number;
  /** Address of the suite as the gateway sees it. */
  upstreamHost: string;
  redisUrl: string;
}

/** Puts a configuration in force: with the keys of these ids only. */
export type Reload = (kids: string[]) => Promise<void>;

/** What the points work with. */
export interface World {
  url: string;
  state: SuiteState;
  reload?: Reload;
  /** Another gateway with the same configuration, for which this suite is a trusted load balancer. */
  trustingUrl?: string;
  send(path: string, options?: Send): Promise<Reply>;
  open(path: string, headers?: Record<string, string>): Promise<OpenedSocket | Reply>;
  token(subject?: string, options?: TokenOptions): string;
  ticket(subject?: string): string;
  close(): Promise<void>;
}

/** Starts the echo services; the gateway at `url` must run the configuration of this state. */
export async function startWorld(
  url: string,
  state: SuiteState,
  listenHost: string,
  { reload, trustingUrl }: Pick<World, 'reload' | 'trustingUrl'> = {},
): Promise<World> {
  const services: EchoService[] = [];
  const close = async () => void (await Promise.all(services.map((service) => service.close())));
  try {
    for (const [name, port] of Object.entries(state.echoPorts))
      services.push(await startEcho(name, port, listenHost));
  } catch (error) {
    await close();
    throw error;
  }
  const [key] = state.keys;
  return {
    url,
    state,
    reload,
    trustingUrl,
    send: (path, options) => send(url, path, options),
    open: (path, headers) => openSocket(url, path, headers),
    token: (subject = randomUUID(), options) => makeToken(key!, subject, options),
    ticket: (subject = randomUUID()) => makeTicket(key!, subject),
    close,
  };
}

/** One observed behaviour of Kong. */
export interface Point {
  /** As numbered in docs/gateway.md. */
  number: number;
  title: string;
  /** Cannot be shown without a way to change the configuration of the running gateway. */
  needsReload?: boolean;
  /** Cannot be shown without a gateway that trusts this suite. */
  needsTrust?: boolean;
  run(world: World): Promise<void>;
}

export function bearer(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` };
}
