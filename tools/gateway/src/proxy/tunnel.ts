import type { Socket } from 'node:net';

const SWEEP_MS = 500;

interface Tunnel {
  ends: [Socket, Socket];
  idleMs: number;
  bytes: number;
  changedAtMs: number;
}

/**
 * Joins pairs of sockets byte for byte. Bytes are the only thing looked at, and only twice a second: idleness is read
 * off the sockets' own counters, so that a busy tunnel costs nothing beyond the copying.
 */
export class Tunnels {
  private readonly open = new Set<Tunnel>();
  private readonly sweeper = setInterval(() => this.sweep(), SWEEP_MS).unref();

  get size(): number {
    return this.open.size;
  }

  /** `onClose` runs once, when both ends are closed. */
  join(client: Socket, upstream: Socket, idleMs: number, onClose: () => void): void {
    if (client.destroyed || upstream.destroyed) {
      client.destroy();
      upstream.destroy();
      onClose();
      return;
    }
    const tunnel: Tunnel = { ends: [client, upstream], idleMs, bytes: 0, changedAtMs: Date.now() };
    this.open.add(tunnel);
    let closed = 0;
    const flow = (from: Socket, to: Socket) => {
      from.setNoDelay(true);
      from.on('data', (chunk) => {
        if (!to.write(chunk)) from.pause();
      });
      to.on('drain', () => from.resume());
      from.on('end', () => to.end());
      from.on('error', () => to.destroy());
      from.on('close', () => {
        to.destroySoon();
        closed += 1;
        if (closed < 2) return;
        this.open.delete(tunnel);
        onClose();
      });
    };
    flow(client, upstream);
    flow(upstream, client);
  }

  closeAll(): void {
    for (const { ends } of this.open) for (const end of ends) end.destroySoon();
  }

  stop(): void {
    clearInterval(this.sweeper);
  }

  private sweep(): void {
    const nowMs = Date.now();
    for (const tunnel of this.open) {
      const bytes = tunnel.ends[0].bytesRead + tunnel.ends[1].bytesRead;
      if (bytes !== tunnel.bytes) {
        tunnel.bytes = bytes;
        tunnel.changedAtMs = nowMs;
      } else if (nowMs - tunnel.changedAtMs >= tunnel.idleMs) {
        for (const end of tunnel.ends) end.destroy();
      }
    }
  }
}
