import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Target } from './health';

/** As long as Kong takes an answer of DNS for true here (`KONG_DNS_VALID_TTL`), milliseconds. */
const VALID_MS = 5_000;

/** The addresses behind a host name. @throws when there is none, or nobody who knows */
export type Lookup = (host: string) => Promise<string[]>;

/**
 * Follows the names among the targets: each address behind a name is a target by itself, with a health of its own, as it is
 * for Kong. Until a name was looked up, and where that fails, the target is what it was before.
 */
export class Addresses {
  private readonly found: Map<string, Target[]>;
  private timer?: NodeJS.Timeout;
  private isLooking = false;

  constructor(
    private readonly targets: Target[],
    private readonly onChange: (peers: Target[]) => void,
    private readonly addressesOf: Lookup = lookUp,
    /** Of the configuration before: what it had found is true until names are looked up again. */
    previous?: Addresses,
  ) {
    this.found = new Map(previous?.found);
  }

  start(): void {
    if (this.targets.every(({ host }) => isIP(host))) return;
    this.timer = setInterval(() => void this.look(), VALID_MS);
    this.timer.unref();
    void this.look();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Asks for all names at once; `onChange` is called when the answers differ from those before. */
  async look(): Promise<void> {
    if (this.isLooking) return;
    this.isLooking = true;
    const before = namesOf(this.peers());
    const names = this.targets.filter(({ host }) => !isIP(host));
    await Promise.all(names.map((target) => this.resolve(target)));
    this.isLooking = false;
    const peers = this.peers();
    if (namesOf(peers) !== before) this.onChange(peers);
  }

  private async resolve({ host, port, name }: Target): Promise<void> {
    const addresses = await this.addressesOf(host).catch(() => []);
    if (addresses.length === 0) return;
    const peers = addresses.sort().map((address) => ({ host: address, port, name: `${address}:${port}` }));
    this.found.set(name, peers);
  }

  /** What stands behind the targets, as far as it is known. */
  peers(): Target[] {
    return this.targets.flatMap((target) => this.found.get(target.name) ?? [target]);
  }
}

async function lookUp(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

function namesOf(targets: Target[]): string {
  return targets.map(({ name }) => name).join(' ');
}
