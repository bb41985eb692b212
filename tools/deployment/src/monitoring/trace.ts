import { newTraceparent } from '@parley/client';
import { until } from '@parley/tool-load';
import { signUp } from '../talk/sign-up';
import type { Grafana } from './grafana';

const TEMPO = 'tempo';
/** Whose work a message over a socket is before it is acknowledged. */
const SERVICES = ['realtime', 'messaging'];
/** Apps and collector gather spans for some seconds. */
const TRACE_WITHIN_MS = 60_000;

interface Trace {
  batches?: { resource: { attributes: { key: string; value: { stringValue?: string } }[] } }[];
}

/**
 * Sends a message with a trace of its own, and looks for that in Grafana's store of traces.
 * @returns what was wrong
 */
export async function tryTrace(gatewayUrl: string, grafana: Grafana): Promise<string[]> {
  const traceparent = newTraceparent();
  let isTraced = false;
  const client = await signUp(gatewayUrl, 'dave', {
    traceparent: () => (isTraced ? traceparent : undefined),
  });
  try {
    const { id } = await client.create({ type: 'group', title: 'Traced', memberIds: [] });
    isTraced = true;
    await client.send({ conversationId: id, body: 'Where does this go?' }).stored;
  } finally {
    await client.close();
  }
  const url = `${grafana.through(TEMPO)}/api/traces/${traceparent.split('-')[1]}`;
  let answer = '';
  const isWhole = async (): Promise<boolean> => {
    const response = await grafana.get(url);
    const seen = response.ok ? servicesOf((await response.json()) as Trace) : new Set<string>();
    answer = response.ok ? `spans of ${[...seen].join(', ')} alone` : `status ${response.status}`;
    return SERVICES.every((service) => seen.has(service));
  };
  return (await until(isWhole, TRACE_WITHIN_MS)) ? [] : [`the trace of a message: ${answer}`];
}

function servicesOf({ batches = [] }: Trace): Set<string> {
  const attributes = batches.flatMap(({ resource }) => resource.attributes);
  return new Set(
    attributes.filter(({ key }) => key === 'service.name').map(({ value }) => value.stringValue ?? ''),
  );
}
