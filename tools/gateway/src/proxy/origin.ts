import { BlockList, isIP } from 'node:net';

/** Where a request came from. */
export interface Origin {
  /** The client's address; limits by address count this one. */
  address: string;
  /** The address of whoever opened the connection: the client itself, or a proxy of ours. */
  peer: string;
  /** Whether the peer is a proxy of ours, so that its `X-Forwarded-*` headers are believed. */
  trusted: boolean;
}

/** Kong's `trusted_ips` with `real_ip_header = X-Forwarded-For` and `real_ip_recursive = on`. */
export class TrustedProxies {
  private readonly list = new BlockList();

  /** `networks` are addresses or networks in CIDR notation. @throws Error that names the one that is neither. */
  constructor(networks: readonly string[] = []) {
    for (const network of networks) {
      const [address = '', bits] = network.split('/', 2);
      const family = familyOf(address);
      const prefix = bits === undefined ? (family === 'ipv4' ? 32 : 128) : Number(bits);
      if (!family || !Number.isInteger(prefix) || prefix < 0 || prefix > (family === 'ipv4' ? 32 : 128))
        throw new Error(`${network} is no address and no network`);
      this.list.addSubnet(address, prefix, family);
    }
  }

  /**
   * The client is the last one in the header that is no proxy of ours, read from its end: what stands before that one,
   * the client may have made up. A peer that is none of ours is the client itself, whatever it says.
   */
  originOf(peerAddress: string, forwardedFor: string | undefined): Origin {
    const peer = peerAddress.replace(/^::ffff:/, '');
    if (!this.has(peer)) return { address: peer, peer, trusted: false };
    let address = peer;
    for (const hop of (forwardedFor ?? '').split(',').reverse()) {
      const named = hop.trim().replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1');
      if (!isIP(named)) break;
      address = named;
      if (!this.has(named)) break;
    }
    return { address, peer, trusted: true };
  }

  private has(address: string): boolean {
    const family = familyOf(address);
    return family !== undefined && this.list.check(address, family);
  }
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address);
  if (version === 0) return undefined;
  return version === 4 ? 'ipv4' : 'ipv6';
}
