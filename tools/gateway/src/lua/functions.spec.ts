import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse } from 'yaml';
import { Exchange, type ResponseHead } from '../exchange';
import { runLua, type LuaWorld } from '../testing/lua';
import { FunctionPlugin } from './functions';

type Functions = Record<'access' | 'header_filter' | 'body_filter', string[] | undefined>;
const file = resolve(__dirname, '../../../../docker/kong/kong.yml');
// With the one number that the render command puts in.
const text = readFileSync(file, 'utf8').replace('${HSTS_SECONDS}', '600');
const { plugins } = parse(text) as { plugins: { name: string; config: Functions }[] };
const textsOf = (name: string) => plugins.find((plugin) => plugin.name === name)!.config;
const pluginOf = (name: 'pre-function' | 'post-function') => {
  const { access = [], header_filter = [], body_filter = [] } = textsOf(name);
  return new FunctionPlugin({ name, config: { access, header_filter, body_filter } });
};
const before = pluginOf('pre-function');
const after = pluginOf('post-function');

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const tokenOf = (head: unknown, claims: unknown, signature = 'x'.repeat(86)) =>
  `${encode(head)}.${encode(claims)}.${signature}`;
const access = { alg: 'ES256', typ: 'at+jwt', kid: 'a' };
const ticket = { ...access, typ: 'ticket+jwt' };

function prepared(headers: Record<string, string>, query: LuaWorld['query']) {
  const text = Object.entries(query).map(([name, value]) =>
    value === true ? name : `${name}=${encodeURIComponent(value)}`,
  );
  const exchange = new Exchange('GET', '/', text.join('&'), headers, '127.0.0.1', undefined);
  void before.access!(exchange);
  const here = { headers: exchange.headers, ticket: exchange.queryValues('ticket')[0] };
  const there = runLua(textsOf('pre-function').access!, { headers: { ...headers }, query: { ...query } });
  return { here, there: { headers: there.headers, ticket: there.query.ticket } };
}

describe('pre-function', () => {
  const tokens: [string, string | true | undefined, string | undefined][] = [
    ['a good access token', `Bearer ${tokenOf(access, { sub: 'u' })}`, undefined],
    ['lower case', `bearer ${tokenOf(access, { sub: 'u' })}`, undefined],
    ['upper case', `BEARER ${tokenOf(access, { sub: 'u' })}`, undefined],
    ['other credentials', 'Basic YTpi', undefined],
    ['something before the scheme', `x Bearer ${tokenOf(access, { sub: 'u' })}`, undefined],
    ['a ticket in the header', `Bearer ${tokenOf(ticket, { sub: 'u' })}`, undefined],
    ['no type', `Bearer ${tokenOf({ alg: 'ES256', kid: 'a' }, { sub: 'u' })}`, undefined],
    ['a number as kid', `Bearer ${tokenOf({ ...access, kid: 1 }, { sub: 'u' })}`, undefined],
    ['null as kid of the claims', `Bearer ${tokenOf(access, { sub: 'u', kid: null })}`, undefined],
    ['a kid in the claims', `Bearer ${tokenOf(access, { sub: 'u', kid: 'b' })}`, undefined],
    ['an empty kid', `Bearer ${tokenOf({ ...access, kid: '' }, { sub: 'u' })}`, undefined],
    ['a short signature', `Bearer ${tokenOf(access, { sub: 'u' }, 'abc')}`, undefined],
    ['another algorithm', `Bearer ${tokenOf({ ...access, alg: 'none' }, { sub: 'u' }, 'abc')}`, undefined],
    ['a list as claims', `Bearer ${tokenOf(access, ['sub'])}`, undefined],
    ['a number as sub', `Bearer ${tokenOf(access, { sub: 7 })}`, undefined],
    ['a sub of 128 bytes', `Bearer ${tokenOf(access, { sub: 'ä'.repeat(64) })}`, undefined],
    ['a sub that is too long', `Bearer ${tokenOf(access, { sub: 'u'.repeat(129) })}`, undefined],
    ['two parts', 'Bearer a.b', undefined],
    ['parts of impossible length', 'Bearer a.b.c', undefined],
    ['a good ticket', undefined, tokenOf(ticket, { sub: 'u' })],
    ['an access token as ticket', undefined, tokenOf(access, { sub: 'u' })],
    ['both', `Bearer ${tokenOf(access, { sub: 'u' })}`, tokenOf(ticket, { sub: 'v' })],
    ['both, the header bad', 'Bearer x', tokenOf(ticket, { sub: 'v' })],
    ['both, the ticket bad', `Bearer ${tokenOf(access, { sub: 'u' })}`, 'x'],
  ];

  it.each(tokens)('does in TypeScript what it does in Lua: %s', (_, authorization, query) => {
    const { here, there } = prepared(
      typeof authorization === 'string' ? { authorization } : {},
      query === undefined ? { other: '1' } : { ticket: query, other: '1' },
    );
    expect(here).toEqual(there);
  });

  it('names the bucket of the person', () => {
    const { here } = prepared(
      { authorization: `Bearer ${tokenOf(access, { sub: 'u1' })}`, 'x-rl-key': 'u:victim' },
      {},
    );
    expect(here.headers['x-rl-key']).toBe('u:u1');
  });

  it('takes a parameter without a value for a bad ticket', () => {
    const { here, there } = prepared(
      { authorization: `Bearer ${tokenOf(access, { sub: 'u' })}` },
      { ticket: true },
    );
    expect(here).toEqual(there);
    expect(here.headers.authorization).toBeUndefined();
  });

  it('drops what only the gateway may say, and ids that could harm a log', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(
          'x-rl-key',
          'x-consumer-username',
          'x-credential-identifier',
          'x-request-id',
          'x-other',
        ),
        fc.string({ unit: 'binary-ascii', maxLength: 70 }),
        (name, value) => {
          const { here, there } = prepared({ [name]: value }, {});
          expect(here).toEqual(there);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('agrees on whatever comes as a token', () => {
    const json = fc.oneof(
      fc.constant(access),
      fc.constant(ticket),
      fc.dictionary(fc.constantFrom('alg', 'typ', 'kid', 'sub'), fc.jsonValue()),
    );
    const token = fc.oneof(
      fc.string({ unit: 'binary-ascii' }),
      fc
        .tuple(json, json, fc.constantFrom('x'.repeat(86), 'x', ''))
        .map(([head, claims, rest]) => tokenOf(head, claims, rest)),
    );
    fc.assert(
      fc.property(
        fc.constantFrom('Bearer ', 'bearer  ', 'Basic ', ''),
        token,
        fc.option(token),
        (scheme, header, query) => {
          const { here, there } = prepared(
            { authorization: scheme + header },
            query === null ? {} : { ticket: query },
          );
          expect(here).toEqual(there);
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('post-function', () => {
  function answered(head: ResponseHead, body: string, scheme: 'http' | 'https' = 'http') {
    const headers = { ...head.headers } as Record<string, string>;
    const { header_filter, body_filter } = textsOf('post-function');
    const there = runLua([...header_filter!, ...body_filter!], {
      headers: {},
      query: {},
      scheme,
      response: { status: head.status, source: head.source, headers, body },
    }).response!;
    const exchange = new Exchange('GET', '/', '', {}, '127.0.0.1', undefined, scheme);
    after.headerFilter!(exchange, head);
    const text = after.bodyFilter!(exchange, head, body);
    return { here: { headers: head.headers, text }, there: { headers: there.headers, text: there.body } };
  }
  const read = (text: string): unknown => (text.startsWith('{') ? JSON.parse(text) : text);
  const idle = { 'x-request-id': 'r1', 'content-length': '9' };

  const statuses = [200, 400, 401, 403, 404, 405, 408, 411, 413, 414, 417, 429, 431, 494, 500, 502, 503, 504];
  const bodies = [
    '',
    '{"message":"m"}',
    '{"exp":"token expired"}',
    '{"nbf":"token not valid yet"}',
    '<html>',
    '[1]',
  ];
  it.each(statuses)('does in TypeScript what it does in Lua: %d', (status) => {
    for (const body of bodies)
      for (const source of ['service', 'exit', 'error'] as const) {
        const { here, there } = answered({ status, source, headers: { ...idle } }, body);
        expect({ ...here, text: read(here.text) }).toEqual({ ...there, text: read(there.text) });
      }
  });

  it('keeps the wait that a plugin named', () => {
    const { here, there } = answered(
      { status: 429, source: 'exit', headers: { ...idle, 'retry-after': '17' } },
      '{}',
    );
    expect(here.headers).toEqual(there.headers);
    expect(here.headers['retry-after']).toBe('17');
  });

  it('tells those who came encrypted to keep to it', () => {
    const over = (scheme: 'http' | 'https') =>
      answered({ status: 200, source: 'service', headers: { ...idle } }, 'body', scheme);
    const { here, there } = over('https');
    expect(here.headers).toEqual(there.headers);
    expect(here.headers['strict-transport-security']).toBe('max-age=600');
    expect(over('http').there.headers).toEqual(idle);
  });

  it('hides the bucket from the service', () => {
    const there = runLua(textsOf('post-function').access!, {
      headers: { 'x-rl-key': 'u:1', a: 'b' },
      query: {},
    });
    const exchange = new Exchange('GET', '/', '', { 'x-rl-key': 'u:1', a: 'b' }, '127.0.0.1', undefined);
    void after.access!(exchange);
    expect(exchange.headers).toEqual(there.headers);
  });
});
