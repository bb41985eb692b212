import { randomUUID } from 'node:crypto';
import type { ConfigOf } from '../config/plugin.schema';
import type { Exchange, Exit, ResponseHead } from '../exchange';
import type { Plugin } from './plugin';

/** Keeps the client's request id or makes one, for the service and for the answer. */
export class CorrelationIdPlugin implements Plugin {
  readonly name = 'correlation-id';
  private readonly header: string;

  constructor(private readonly config: ConfigOf<'correlation-id'>) {
    this.header = config.header_name.toLowerCase();
  }

  access(exchange: Exchange): undefined {
    exchange.correlationId = exchange.header(this.header) || randomUUID();
    exchange.headers[this.header] = exchange.correlationId;
  }

  headerFilter(exchange: Exchange, head: ResponseHead): void {
    if (!this.config.echo_downstream) return;
    head.headers[this.header] = exchange.correlationId ?? (exchange.header(this.header) || randomUUID());
  }
}

const unitBytes = { megabytes: 2 ** 20, kilobytes: 2 ** 10, bytes: 1 };

/** Refuses by the announced length without reading; a chunked body is read and counted. */
export class RequestSizePlugin implements Plugin {
  readonly name = 'request-size-limiting';
  private readonly bytesMax: number;

  constructor(config: ConfigOf<'request-size-limiting'>) {
    this.bytesMax = config.allowed_payload_size * unitBytes[config.size_unit];
  }

  access(exchange: Exchange): Exit | undefined | Promise<Exit | undefined> {
    const length = exchange.headers['content-length'];
    if (length !== undefined) return Number(length) > this.bytesMax ? tooLarge(exchange) : undefined;
    if (exchange.headers['transfer-encoding'] === undefined) return undefined;
    return exchange.readBody(this.bytesMax).then((body) => (body ? undefined : tooLarge(exchange)));
  }
}

function tooLarge(exchange: Exchange): Exit {
  const status = exchange.header('expect')?.toLowerCase() === '100-continue' ? 417 : 413;
  return { status, body: { message: 'Request size limit exceeded' } };
}

export class RequestTerminationPlugin implements Plugin {
  readonly name = 'request-termination';

  constructor(private readonly config: ConfigOf<'request-termination'>) {}

  access(): Exit {
    const { status_code: status, body, message, content_type: type } = this.config;
    if (body === undefined) return { status, body: { message: message ?? 'Terminated' } };
    return { status, body, headers: { 'content-type': type ?? 'application/json; charset=utf-8' } };
  }
}
