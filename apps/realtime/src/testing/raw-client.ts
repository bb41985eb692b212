import { WebSocket, type RawData } from 'ws';

/** A client that speaks Engine.IO and Socket.IO frames by hand, so that it can break every rule. Specs only. */
export class RawClient {
  readonly received: string[] = [];
  closeCode?: number;
  private wake: (() => void)[] = [];

  private constructor(readonly ws: WebSocket) {
    ws.on('message', (data: RawData) => this.note((data as Buffer).toString()));
    ws.on('close', (code) => {
      this.closeCode = code;
      this.note('closed');
    });
    ws.on('error', () => this.note('error'));
  }

  static open(url: string, token: string): RawClient {
    const address = `${url.replace('http', 'ws')}/realtime?EIO=4&transport=websocket`;
    return new RawClient(new WebSocket(address, { headers: { authorization: `Bearer ${token}` } }));
  }

  /** Connected and past `ready`. */
  static async ready(url: string, token: string): Promise<RawClient> {
    const client = RawClient.open(url, token);
    await client.take('0{');
    client.send('40');
    await client.take('42["ready"');
    return client;
  }

  send(frame: string | Buffer): void {
    this.ws.send(frame);
  }

  /** The first received packet that begins so; waits for it. */
  async take(prefix: string): Promise<string> {
    for (;;) {
      const index = this.received.findIndex((text) => text.startsWith(prefix));
      const [found] = index >= 0 ? this.received.splice(index, 1) : [];
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.wake.push(resolve));
    }
  }

  /** The reason why the server closes; resolves once it has closed. */
  async takeReason(): Promise<string> {
    const packet = await this.take('42["session:closing"');
    await this.take('closed');
    return ((JSON.parse(packet.slice(2)) as unknown[])[1] as { code: string }).code;
  }

  private note(text: string): void {
    this.received.push(text);
    for (const wake of this.wake.splice(0)) wake();
  }
}
