import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-node';
import type { TracingConfig } from './config';
import { getLogger } from './logging';
import { counter } from './metrics';
import { record } from './tracing';

const log = getLogger('Tracing');

/** What waits for the collector; beyond it spans are dropped and counted. About 2 KB each. */
const QUEUE_SPANS_MAX = 4096;
const BATCH_SPANS_MAX = 512;
const BATCH_EVERY_MS = 1000;
const EXPORT_TIMEOUT_MS = 5000;

const exported = counter('tracing_spans_exported_total', 'Spans that the collector took.');
const dropped = counter('tracing_spans_dropped_total', 'Spans that were lost, by reason.', ['reason']);

/** Finished spans that wait, and those that were handed to the exporter and not answered for. */
interface Queue {
  spans: number;
  underWay: number;
}

export interface Tracing {
  /** Sends what waits, for no longer than `timeoutMs`, and records nothing more. Never rejects. */
  stop(timeoutMs: number): Promise<void>;
}

/**
 * Records and exports spans by OTLP over HTTP, if the configuration names a collector. A collector that is away, slow or
 * broken costs spans, which are counted, and nothing else. What it takes is loaded only then.
 */
export async function startTracing(
  config: TracingConfig,
  identity: { service: string; instance: string },
): Promise<Tracing | undefined> {
  const endpoint = config.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (endpoint === undefined) return undefined;
  const { AlwaysOnSampler, BasicTracerProvider, BatchSpanProcessor } =
    await import('@opentelemetry/sdk-trace-node');
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
  const { resourceFromAttributes } = await import('@opentelemetry/resources');

  const queue: Queue = { spans: 0, underWay: 0 };
  const exporter = new OTLPTraceExporter({
    url: `${endpoint.replace(/\/+$/, '')}/v1/traces`,
    headers: config.OTEL_EXPORTER_OTLP_HEADERS,
    timeoutMillis: EXPORT_TIMEOUT_MS,
  });
  const batches = new BatchSpanProcessor(counting(exporter, queue), {
    maxQueueSize: QUEUE_SPANS_MAX,
    maxExportBatchSize: BATCH_SPANS_MAX,
    scheduledDelayMillis: BATCH_EVERY_MS,
    exportTimeoutMillis: 2 * EXPORT_TIMEOUT_MS,
  });
  const addToBatches = batches.onEnd.bind(batches);
  batches.onEnd = (span) => {
    if (queue.spans >= QUEUE_SPANS_MAX) return dropped.inc({ reason: 'queue_full' });
    queue.spans += 1;
    addToBatches(span);
  };
  const provider = new BasicTracerProvider({
    // Only what is sampled comes as far as here.
    sampler: new AlwaysOnSampler(),
    spanProcessors: [batches],
    resource: resourceFromAttributes({
      'service.namespace': 'parley',
      'service.name': identity.service,
      'service.version': version(),
      'service.instance.id': identity.instance,
      ...config.OTEL_RESOURCE_ATTRIBUTES,
    }),
  });
  record({
    tracer: provider.getTracer('parley'),
    ratio: config.OTEL_TRACES_SAMPLER_ARG,
    admits: allowance(config.TRACES_REQUESTED_PER_SECOND_MAX),
  });
  log.info({ ratio: config.OTEL_TRACES_SAMPLER_ARG }, 'Traces are exported.');
  return {
    async stop(timeoutMs) {
      record(null);
      const end = provider.shutdown().catch(() => undefined);
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([end, new Promise((resolve) => (timer = setTimeout(resolve, timeoutMs)))]);
      clearTimeout(timer);
      const unsent = queue.spans + queue.underWay;
      if (unsent === 0) return;
      dropped.inc({ reason: 'unsent' }, unsent);
      log.warn({ spans: unsent }, 'The collector did not take the last spans.');
    },
  };
}

/** The exporter, which takes spans out of the queue and counts what became of them. */
function counting(exporter: SpanExporter, queue: Queue): SpanExporter {
  let isWell = true;
  return {
    export(spans: ReadableSpan[], done) {
      queue.spans -= spans.length;
      queue.underWay += spans.length;
      exporter.export(spans, (result) => {
        queue.underWay -= spans.length;
        const isTaken = result.code === 0;
        if (isTaken) exported.inc(spans.length);
        else dropped.inc({ reason: 'export_failed' }, spans.length);
        // A line for each change, not for each batch.
        if (isWell !== isTaken) {
          isWell = isTaken;
          if (isTaken) log.info({}, 'The collector takes traces again.');
          else log.warn({ err: result.error }, 'The collector does not take traces; they are dropped.');
        }
        done(result);
      });
    },
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  };
}

/** At most so many a second, and as many at once. */
function allowance(perSecond: number): () => boolean {
  let left = perSecond;
  let at = performance.now();
  return () => {
    const now = performance.now();
    left = Math.min(perSecond, left + ((now - at) / 1000) * perSecond);
    at = now;
    if (left < 1) return false;
    left -= 1;
    return true;
  };
}

/** Of the app's package, which lies beside its program. */
function version(): string {
  try {
    const file = join(dirname(process.argv[1] ?? ''), '../package.json');
    return (JSON.parse(readFileSync(file, 'utf8')) as { version?: string }).version ?? 'unknown';
  } catch {
    return 'unknown';
  }
}
