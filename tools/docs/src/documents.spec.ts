import {
  clientEvents,
  closeReasons,
  commands,
  exchanges,
  queries,
  queues,
  routes,
  serverEvents,
} from '@parley/contracts';
import { asyncApiDocument } from './asyncapi';
import { openApiDocument } from './openapi';

type Json = Record<string, never>;

function referencesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === '$ref' ? [inner as string] : referencesIn(inner),
  );
}

function resolves(document: unknown, reference: string): boolean {
  let at = document as Json | undefined;
  for (const step of reference.replace('#/', '').split('/')) at = at?.[step];
  return at !== undefined;
}

describe.each([
  ['OpenAPI', openApiDocument('1.2.3')],
  ['AsyncAPI', asyncApiDocument('1.2.3')],
])('the %s document', (_, document) => {
  it('refers to nothing that is not there', () => {
    const broken = [...new Set(referencesIn(document))].filter((reference) => !resolves(document, reference));
    expect(broken).toEqual([]);
  });

  it('is the same every time', () => {
    const again = 'openapi' in document ? openApiDocument('1.2.3') : asyncApiDocument('1.2.3');
    expect(JSON.stringify(again)).toBe(JSON.stringify(document));
  });
});

it('has every HTTP operation', () => {
  const { paths } = openApiDocument('1.2.3') as {
    paths: Record<string, Record<string, { operationId: string }>>;
  };
  const found = Object.values(paths).flatMap((item) =>
    Object.values(item).map(({ operationId }) => operationId),
  );
  expect(found.sort()).toEqual(Object.keys(routes).sort());
});

it('says what a refusal for the rate carries, and why sockets are closed', () => {
  const { paths } = openApiDocument('1.2.3') as {
    paths: Record<string, Record<string, { responses: Record<string, { headers?: object }> }>>;
  };
  for (const item of Object.values(paths))
    for (const { responses } of Object.values(item))
      expect(Object.keys(responses['429']!.headers!)).toEqual(
        expect.arrayContaining(['Retry-After', 'RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset']),
      );
  const socket = JSON.stringify(asyncApiDocument('1.2.3'));
  for (const code of Object.keys(closeReasons)) expect(socket).toContain(code);
});

it('has every socket event, exchange, queue, command and query', () => {
  const { channels } = asyncApiDocument('1.2.3') as {
    channels: Record<string, { address: string; messages: Record<string, { name: string }> }>;
  };
  const named = (channel: string) => Object.values(channels[channel]!.messages).map(({ name }) => name);
  expect(named('socket')).toEqual(
    expect.arrayContaining([...Object.keys(clientEvents), ...Object.keys(serverEvents)]),
  );
  expect(Object.keys(channels)).toEqual(
    expect.arrayContaining([
      ...Object.keys(exchanges).map((name) => `${name}Exchange`),
      ...Object.keys(queues).map((name) => `${name}Queue`),
    ]),
  );
  expect(named('commandsQueue')).toEqual(Object.keys(commands));
  expect(named('queriesQueue')).toEqual(Object.keys(queries));
});
