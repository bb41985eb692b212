import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

/** A span as a collector got it; `kind` as OTLP numbers it: 2 server, 4 producer, 5 consumer, 1 the rest. */
export interface ReceivedSpan {
  service: string;
  resource: Record<string, unknown>;
  name: string;
  kind: number;
  traceId: string;
  spanId: string;
  /** Undefined at the root of a trace. */
  parentSpanId?: string;
  links: { traceId: string; spanId: string }[];
  attributes: Record<string, unknown>;
  events: string[];
  /** 2 is an error. */
  status: number;
}

interface Attribute {
  key: string;
  value: Record<string, unknown>;
}

interface WireSpan extends Omit<ReceivedSpan, 'attributes' | 'events' | 'status' | 'service' | 'resource'> {
  attributes?: Attribute[];
  events?: { name: string }[];
  status?: { code?: number };
}

/** As `ExportTraceServiceRequest` stands in JSON. */
interface ExportRequest {
  resourceSpans: {
    resource: { attributes: Attribute[] };
    scopeSpans: { spans: WireSpan[] }[];
  }[];
}

/** A collector for specs: takes OTLP over HTTP in JSON and keeps what it gets. */
export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  /** Headers of the last request. */
  headers: IncomingHttpHeaders = {};
  /** The status with which it answers; with another than 200 nothing is kept. */
  status = 200;
  /** Given, no request is answered before it resolves. */
  hold?: Promise<void>;
  private readonly waiting = new Set<() => void>();

  private constructor(private readonly server: Server) {}

  static async start(): Promise<OtlpReceiver> {
    const server = createServer();
    const receiver = new OtlpReceiver(server);
    server.on('request', (request, response) => {
      void (async () => {
        const parts: Buffer[] = [];
        for await (const part of request) parts.push(part as Buffer);
        await receiver.hold;
        receiver.headers = request.headers;
        if (receiver.status === 200 && request.url === '/v1/traces')
          receiver.take(Buffer.concat(parts), request.headers['content-encoding'] === 'gzip');
        response.writeHead(receiver.status, { 'content-type': 'application/json' }).end('{}');
      })();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return receiver;
  }

  /** What OTEL_EXPORTER_OTLP_ENDPOINT is set to. */
  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  of(traceId: string): ReceivedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId);
  }

  /** Resolves as soon as `find` finds something, asked again whenever spans come. */
  async until<T>(find: (spans: readonly ReceivedSpan[]) => T | undefined): Promise<T> {
    for (;;) {
      const found = find(this.spans);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.waiting.add(resolve));
    }
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private take(body: Buffer, isZipped: boolean): void {
    const { resourceSpans } = JSON.parse((isZipped ? gunzipSync(body) : body).toString()) as ExportRequest;
    for (const { resource, scopeSpans } of resourceSpans) {
      const of = valuesOf(resource.attributes);
      for (const span of scopeSpans.flatMap(({ spans }) => spans)) {
        this.spans.push({
          ...span,
          service: String(of['service.name']),
          resource: of,
          parentSpanId: span.parentSpanId || undefined,
          links: span.links ?? [],
          attributes: valuesOf(span.attributes ?? []),
          events: (span.events ?? []).map(({ name }) => name),
          status: span.status?.code ?? 0,
        });
      }
    }
    for (const wake of this.waiting) wake();
    this.waiting.clear();
  }
}

function valuesOf(attributes: Attribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
