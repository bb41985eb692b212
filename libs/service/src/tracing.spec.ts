import { Controller, Get, Module } from '@nestjs/common';
import { unavailable } from '@parley/contracts';
import { OtlpReceiver, type ReceivedSpan, until } from '@parley/testing';
import {
  Public,
  activeSpan,
  baseConfig,
  brokerConfig,
  brokerSettings,
  currentContext,
  loadConfig,
  metricsRegistry,
  runService,
  startSpan,
  traceparentOf,
  type RunningService,
} from '.';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const PARENT = '00f067aa0ba902b7';

@Controller('v1/things')
class ThingController {
  @Public()
  @Get('away')
  away() {
    throw unavailable('Not now.');
  }

  @Public()
  @Get(':id')
  one() {
    return { traceparent: currentContext().traceparent };
  }
}

@Module({ controllers: [ThingController] })
class ThingModule {}

let collector: OtlpReceiver;
let service: RunningService;
beforeEach(async () => {
  collector = await OtlpReceiver.start();
});
afterEach(async () => {
  await service.close();
  await collector.stop();
});

const AMQP_URL = 'amqp://127.0.0.1';
const schema = baseConfig.extend(brokerConfig.shape);

async function start(settings: Record<string, string> = {}): Promise<ReturnType<typeof brokerSettings>> {
  const config = loadConfig(schema, {
    PORT: '0',
    AMQP_URL,
    INSTANCE_ID: 'things-1',
    LOG_LEVEL: 'silent',
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_TRACES_SAMPLER_ARG: '0',
    ...settings,
  });
  service = await runService({ name: 'things', module: ThingModule, config, ownsProcess: false });
  return brokerSettings(config);
}

async function get(path: string, traceparent?: string): Promise<{ traceparent: string }> {
  const headers: Record<string, string> = traceparent === undefined ? {} : { traceparent };
  return (await fetch(`${service.url}${path}`, { headers })).json() as Promise<{ traceparent: string }>;
}

/** Ends the service, which sends all that it has. */
async function exported(): Promise<ReceivedSpan[]> {
  await service.close();
  return collector.spans;
}

/** A counter's value, of one label where it has some. */
async function count(name: string, reason?: string): Promise<number> {
  const { values } = (await metricsRegistry.getSingleMetric(name)?.get()) ?? { values: [] };
  return values.find(({ labels }) => reason === undefined || labels.reason === reason)?.value ?? 0;
}

describe('a request', () => {
  test('whose caller sampled it goes on in the same trace, and says where it came from', async () => {
    await start({
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20secret',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=spec',
    });
    const { traceparent } = await get('/v1/things/7', `00-${TRACE}-${PARENT}-01`);
    const [span, ...others] = await exported();
    expect(others).toEqual([]);
    expect(span).toMatchObject({
      service: 'things',
      name: 'GET /v1/things/:id',
      kind: 2,
      traceId: TRACE,
      parentSpanId: PARENT,
      attributes: { 'http.request.method': 'GET', 'http.route': '/v1/things/:id' },
      status: 0,
    });
    expect(traceparent).toBe(`00-${TRACE}-${span?.spanId}-01`);
    expect(span?.resource).toMatchObject({
      'service.namespace': 'parley',
      'service.instance.id': 'things-1',
      'deployment.environment.name': 'spec',
    });
    expect(collector.headers.authorization).toBe('Bearer secret');
  });

  test('that nobody sampled keeps its trace and exports nothing', async () => {
    await start();
    const { traceparent } = await get('/v1/things/7', `00-${TRACE}-${PARENT}-00`);
    expect(traceparent).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-00$`));
    expect((await get('/v1/things/7')).traceparent).toMatch(/-00$/);
    expect(await exported()).toEqual([]);
  });

  test('of the configured share begins a trace; failures of ours are errors, probes are nothing', async () => {
    await start({ OTEL_TRACES_SAMPLER_ARG: '1' });
    await get('/v1/things/away');
    await get('/v1/things/none/such');
    await get('/health/live');
    const spans = await exported();
    expect(spans.map(({ name, status, parentSpanId }) => [name, status, parentSpanId])).toEqual([
      ['GET /v1/things/away', 2, undefined],
      ['GET unmatched', 0, undefined],
    ]);
  });

  test('samples no more than is admitted, whatever callers wish', async () => {
    await start({ TRACES_REQUESTED_PER_SECOND_MAX: '1' });
    for (let i = 0; i < 10; i += 1) await get('/v1/things/7', `00-${TRACE}-${PARENT}-01`);
    const spans = await exported();
    expect(spans.length).toBeGreaterThanOrEqual(1);
    expect(spans.length).toBeLessThan(10);
  });
});

describe('work for other processes', () => {
  test('is a span below the asker’s while its outcome is awaited', async () => {
    const { trace } = await start();
    const asked = `00-${TRACE}-${PARENT}-01`;
    await trace.answer('thing.make', asked, async () => {
      await Promise.resolve();
      expect(activeSpan()?.spanContext().traceId).toBe(TRACE);
    });
    await expect(
      trace.answer('thing.break', asked, () => Promise.reject(unavailable('No.'))),
    ).rejects.toThrow();
    expect(activeSpan()).toBeUndefined();
    const spans = await exported();
    expect(spans).toMatchObject([
      { name: 'thing.make', kind: 2, traceId: TRACE, parentSpanId: PARENT, status: 0 },
      { name: 'thing.break', attributes: { 'error.type': 'unavailable' }, status: 2 },
    ]);
  });

  test('costs no span where the trace is not sampled, and keeps its id', async () => {
    const { trace } = await start();
    trace.consume('thing.made', `00-${TRACE}-${PARENT}-00`, () => {
      expect(activeSpan()).toBeUndefined();
      expect(currentContext().traceparent).toContain(TRACE);
    });
    expect(await exported()).toEqual([]);
  });

  test('in batches has a trace of its own, linked with those that it serves', async () => {
    const { trace } = await start();
    const parents = [TRACE, TRACE.replace('4', '5')].map((id) => `00-${id}-${PARENT}-01`);
    await trace.batch('things apply', parents, () => Promise.resolve());
    const spans = await exported();
    const whole = spans.find(({ name }) => name === 'things apply batch')!;
    const parts = spans.filter(({ name }) => name === 'things apply');
    expect(whole.parentSpanId).toBeUndefined();
    expect(whole.links.map(({ traceId }) => `00-${traceId}-${PARENT}-01`)).toEqual(parents);
    expect(parts).toHaveLength(2);
    for (const part of parts) {
      expect(part).toMatchObject({ kind: 5, parentSpanId: PARENT });
      expect(part.links).toMatchObject([{ traceId: whole.traceId, spanId: whole.spanId }]);
    }
  });
});

describe('a collector', () => {
  /** So many finished spans, all at once. */
  function burst(spans: number): void {
    for (let i = 0; i < spans; i += 1) startSpan('burst', null)?.end();
  }

  test('that is away costs its spans, which are counted, and no request', async () => {
    const before = await count('tracing_spans_dropped_total', 'unsent');
    await start({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9', OTEL_TRACES_SAMPLER_ARG: '1' });
    expect(await get('/v1/things/7')).toHaveProperty('traceparent');
    await service.close();
    expect(await count('tracing_spans_dropped_total', 'unsent')).toBe(before + 1);
  });

  test('that refuses costs its spans, and gets the next ones', async () => {
    await start();
    collector.status = 400;
    const before = await count('tracing_spans_dropped_total', 'export_failed');
    burst(512);
    const dropped = async () => (await count('tracing_spans_dropped_total', 'export_failed')) > before;
    await until('spans are dropped', dropped);
    collector.status = 200;
    startSpan('after', null)?.end();
    expect((await exported()).map(({ name }) => name)).toContain('after');
  });

  test('that hangs fills a bounded queue and does not hold up the end', async () => {
    await start();
    let release = () => undefined as void;
    collector.hold = new Promise((resolve) => (release = resolve));
    const before = await count('tracing_spans_dropped_total', 'queue_full');
    burst(10_000);
    expect(await count('tracing_spans_dropped_total', 'queue_full')).toBeGreaterThan(before);
    await service.close();
    release();
  });
});

test('nothing is recorded without a collector', async () => {
  await start({ OTEL_EXPORTER_OTLP_ENDPOINT: '', OTEL_TRACES_SAMPLER_ARG: '1' });
  const { traceparent } = await get('/v1/things/7', `00-${TRACE}-${PARENT}-01`);
  expect(traceparent).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
  expect(startSpan('nothing', null)).toBeUndefined();
});

test('a span’s own traceparent reads back', async () => {
  await start();
  const span = startSpan('one', null)!;
  const child = startSpan('two', traceparentOf(span))!;
  expect(child.spanContext().traceId).toBe(span.spanContext().traceId);
});
