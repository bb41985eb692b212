import { once } from 'node:events';
import { WebSocket } from 'ws';

/** Talks to a Node process that was started with `--inspect=127.0.0.1:PORT`. */
export class Inspector {
  private nextId = 0;

  private constructor(private readonly socket: WebSocket) {}

  static async attach(port: number): Promise<Inspector> {
    const response = await fetch(`http://127.0.0.1:${port}/json/list`, {
      signal: AbortSignal.timeout(10_000),
    });
    const [entry] = (await response.json()) as { webSocketDebuggerUrl: string }[];
    if (!entry) throw new Error(`Nothing to inspect on port ${port}.`);
    const socket = new WebSocket(entry.webSocketDebuggerUrl, { maxPayload: 1 << 30 });
    await once(socket, 'open');
    return new Inspector(socket);
  }

  /** One method of the DevTools protocol. @throws Error when it fails, or the process goes away */
  call<Result>(method: string, params: object = {}): Promise<Result> {
    const id = ++this.nextId;
    return new Promise((resolve, reject) => {
      const onClose = (): void => reject(new Error(`${method}: the process went away`));
      const onMessage = (data: Buffer): void => {
        const answer = JSON.parse(data.toString()) as {
          id?: number;
          result?: unknown;
          error?: { message: string };
        };
        if (answer.id !== id) return;
        this.socket.off('message', onMessage);
        this.socket.off('close', onClose);
        if (answer.error) reject(new Error(`${method}: ${answer.error.message}`));
        else resolve(answer.result as Result);
      };
      this.socket.on('message', onMessage);
      this.socket.once('close', onClose);
      this.socket.send(JSON.stringify({ id, method, params }));
    });
  }

  detach(): void {
    this.socket.close();
  }
}
