import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Get, HttpCode, Module, Post } from '@nestjs/common';
import { ParleyError, id, unavailable } from '@parley/contracts';
import { until } from '@parley/testing';
import { SignJWT } from 'jose';
import { z } from 'zod';
import {
  CurrentUser,
  HealthRegistry,
  IdempotencyKey,
  Public,
  ZodBody,
  ZodParams,
  ZodQuery,
  baseConfig,
  currentContext,
  loadConfig,
  runService,
  tokenConfig,
  type AuthenticatedUser,
  type RunningService,
} from '.';

const userId = '01900000-0000-7000-8000-000000000001';
const sessionId = '01900000-0000-7000-8000-000000000002';

let release: () => void = () => undefined;
let reached: () => void = () => undefined;

@Controller('v1/things')
class ThingController {
  @Get('mine')
  mine(@CurrentUser() user: AuthenticatedUser) {
    return user;
  }

  @Public()
  @Get('context')
  context() {
    return currentContext();
  }

  @Public()
  @Post()
  create(
    @ZodBody(z.strictObject({ title: z.string().max(3) })) body: unknown,
    @IdempotencyKey() key: string,
  ) {
    return { body, key };
  }

  @Public()
  @Get('broken')
  broken() {
    throw new Error('a secret');
  }

  @Public()
  @Get('away')
  away() {
    throw Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
  }

  @Public()
  @Get('limited')
  limited() {
    throw new ParleyError('rate_limited', 'Slow down.', { retryAfterMs: 2100 });
  }

  @Public()
  @HttpCode(200)
  @Get('slow')
  async slow() {
    await new Promise<void>((resolve) => {
      release = resolve;
      reached();
    });
    return { done: true };
  }

  @Public()
  @Get(':id')
  one(
    @ZodParams(z.object({ id })) params: unknown,
    @ZodQuery(z.strictObject({ limit: z.string().optional() })) query: unknown,
  ) {
    return { params, query };
  }
}

@Module({ controllers: [ThingController] })
class ThingModule {}

const directory = mkdtempSync(join(tmpdir(), 'parley-service-'));
const keysFile = join(directory, 'public.json');
const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const otherKeys = generateKeyPairSync('ec', { namedCurve: 'P-256' });

function jwk(pair: typeof keys, kid: string) {
  return { ...pair.publicKey.export({ format: 'jwk' }), kid };
}

function config() {
  return loadConfig(baseConfig.extend(tokenConfig.shape), {
    PORT: '0',
    LOG_LEVEL: 'silent',
    JWT_PUBLIC_KEYS_FILE: keysFile,
  });
}

interface TokenParts {
  key?: typeof keys.privateKey;
  kid?: string;
  typ?: string;
  claims?: Record<string, unknown>;
  issuer?: string;
  audience?: string;
  expiresAt?: number;
  notBefore?: number;
}

function token(parts: TokenParts = {}): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ sid: sessionId, sub: userId, jti: 'one', ...parts.claims })
    .setProtectedHeader({ alg: 'ES256', kid: parts.kid ?? 'a', typ: parts.typ ?? 'at+jwt' })
    .setIssuer(parts.issuer ?? 'parley')
    .setAudience(parts.audience ?? 'parley')
    .setIssuedAt(now)
    .setNotBefore(parts.notBefore ?? now)
    .setExpirationTime(parts.expiresAt ?? now + 60)
    .sign(parts.key ?? keys.privateKey);
}

describe('a service', () => {
  let service: RunningService;

  beforeAll(async () => {
    writeFileSync(keysFile, JSON.stringify({ keys: [jwk(keys, 'a')] }));
    service = await runService({ name: 'things', module: ThingModule, config: config(), ownsProcess: false });
  });
  afterAll(async () => {
    await service.close();
    rmSync(directory, { recursive: true });
  });

  const get = (path: string, headers: Record<string, string> = {}) => fetch(service.url + path, { headers });
  const post = (body: string, headers: Record<string, string> = {}) =>
    fetch(`${service.url}/v1/things`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'Idempotency-Key': 'k', ...headers },
      body,
    });

  async function expectProblem(response: Response, status: number, code: string) {
    const body = (await response.json()) as Record<string, unknown>;
    expect({ status: response.status, code: body.code }).toEqual({ status, code });
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    expect(body).toMatchObject({ status, type: `urn:parley:problem:${code}` });
    expect(body.requestId).toBe(response.headers.get('x-request-id'));
    expect(body.title).toEqual(expect.any(String));
    expect(body.detail).toEqual(expect.any(String));
    return body;
  }

  describe('answers errors as problem+json', () => {
    test('an unknown route', async () => {
      await expectProblem(await get('/v1/nothing'), 404, 'not_found');
    });
    test('a method that the route does not have', async () => {
      await expectProblem(await fetch(`${service.url}/v1/things/mine`, { method: 'PUT' }), 404, 'not_found');
    });
    test('an address that is no UTF-8', async () => {
      await expectProblem(await get('/v1/things/%E0%A4%A'), 400, 'invalid_request');
    });
    test.each(['{', '"text"', '', 'null', '[1', '\u0000'])(
      'a body that is no JSON object: %j',
      async (body) => {
        await expectProblem(await post(body), 400, 'invalid_request');
      },
    );
    test('a body of another type', async () => {
      const response = await post('a=b', { 'Content-Type': 'application/x-www-form-urlencoded' });
      await expectProblem(response, 415, 'unsupported_media_type');
    });
    test('a body in another encoding', async () => {
      const response = await post('{}', { 'Content-Encoding': 'zstd' });
      await expectProblem(response, 415, 'unsupported_media_type');
    });
    test('a body that is too large', async () => {
      await expectProblem(await post(`{"title":"${'x'.repeat(300_000)}"}`), 413, 'payload_too_large');
    });
    test('fields that are wrong or unknown, each by its path', async () => {
      const body = await expectProblem(await post('{"title":"long","other":1}'), 400, 'invalid_request');
      expect(body.errors).toEqual(
        expect.arrayContaining([{ path: 'title', message: expect.any(String) as string }]),
      );
    });
    test('a path parameter that is no id', async () => {
      await expectProblem(await get('/v1/things/UPPER'), 400, 'invalid_request');
    });
    test('a repeated query parameter', async () => {
      await expectProblem(await get(`/v1/things/${userId}?limit=1&limit=2`), 400, 'invalid_request');
    });
    test.each([undefined, ' ', 'x'.repeat(129)])('the idempotency key %j', async (key) => {
      const headers: Record<string, string> = { 'Content-Type': 'application/json' };
      if (key !== undefined) headers['Idempotency-Key'] = key;
      const response = await fetch(`${service.url}/v1/things`, {
        method: 'POST',
        headers,
        body: '{"title":"a"}',
      });
      await expectProblem(response, 400, 'invalid_request');
    });
    test('an unexpected failure, without its message', async () => {
      const body = await expectProblem(await get('/v1/things/broken'), 500, 'internal');
      expect(JSON.stringify(body)).not.toContain('secret');
    });
    test('a backing service that is away, with when to come back', async () => {
      const response = await get('/v1/things/away');
      expect(response.headers.get('retry-after')).toBe('1');
      await expectProblem(response, 503, 'unavailable');
    });
    test('a rate limit, with its wait rounded up', async () => {
      const response = await get('/v1/things/limited');
      expect(response.headers.get('retry-after')).toBe('3');
      await expectProblem(response, 429, 'rate_limited');
    });
  });

  describe('carries the context', () => {
    test('a well-formed request id and trace are kept', async () => {
      const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
      const response = await get('/v1/things/context', {
        'X-Request-Id': 'abc-1',
        traceparent: `00-${trace}-00f067aa0ba902b7-01`,
      });
      const context = (await response.json()) as { requestId: string; traceparent: string };
      expect(response.headers.get('x-request-id')).toBe('abc-1');
      expect(context.requestId).toBe('abc-1');
      expect(context.traceparent).toMatch(new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
      expect(context.traceparent).not.toContain('00f067aa0ba902b7');
    });
    test('malformed ones are replaced', async () => {
      const response = await get('/v1/things/context', {
        'X-Request-Id': 'a b<script>',
        traceparent: '00-0-0-0',
      });
      const context = (await response.json()) as { requestId: string; traceparent: string };
      expect(context.requestId).toMatch(/^[0-9a-f]{32}$/);
      expect(context.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    });
  });

  describe('checks access tokens', () => {
    const mine = (value: string) => get('/v1/things/mine', { Authorization: `Bearer ${value}` });

    test('a good one tells who calls', async () => {
      const response = await mine(await token());
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual({ userId, sessionId });
    });
    test('the scheme in any case, and nothing but a scheme and a token', async () => {
      const [good, url] = [await token(), '/v1/things/mine'];
      expect((await get(url, { Authorization: `bearer ${good}` })).status).toBe(200);
      for (const Authorization of [good, `Bearer ${good} more`, `Basic ${good}`, 'x'.repeat(12_000)])
        await expectProblem(await get(url, { Authorization }), 401, 'unauthenticated');
    });
    test('none', async () => {
      const response = await get('/v1/things/mine');
      expect(response.headers.get('www-authenticate')).toContain('Bearer');
      await expectProblem(response, 401, 'unauthenticated');
    });
    test('an expired one says so', async () => {
      const now = Math.floor(Date.now() / 1000);
      await expectProblem(
        await mine(await token({ notBefore: now - 60, expiresAt: now - 1 })),
        401,
        'token_expired',
      );
    });

    const future = Math.floor(Date.now() / 1000) + 3600;
    const bad: [string, TokenParts][] = [
      ['signed by another key', { key: otherKeys.privateKey }],
      ['of an unknown key', { kid: 'zzz' }],
      ['of another type', { typ: 'ticket+jwt' }],
      ['of another issuer', { issuer: 'other' }],
      ['for another audience', { audience: 'other' }],
      ['not valid yet', { notBefore: future, expiresAt: future + 60 }],
      ['without a session', { claims: { sid: undefined } }],
      ['with a subject that is no id', { claims: { sub: 'alice' } }],
      ['without its own id', { claims: { jti: undefined } }],
      ['expired and forged', { key: otherKeys.privateKey, notBefore: 1, expiresAt: 2 }],
    ];
    test.each(bad)('one %s', async (_name, parts) => {
      await expectProblem(await mine(await token(parts)), 401, 'unauthenticated');
    });

    test('one whose algorithm is changed', async () => {
      const [, payload, signature] = (await token()).split('.');
      for (const alg of ['none', 'HS256']) {
        const header = Buffer.from(JSON.stringify({ alg, kid: 'a', typ: 'at+jwt' })).toString('base64url');
        await expectProblem(await mine(`${header}.${payload}.${signature}`), 401, 'unauthenticated');
      }
    });
    test.each(['x', '..', 'a.b.c', 'x'.repeat(5000)])('garbage', async (value) => {
      await expectProblem(await mine(value), 401, 'unauthenticated');
    });
  });

  test('refuses an upgrade of nothing and goes on', async () => {
    await new Promise<void>((resolve) => {
      const request = httpRequest(`${service.url}/v1/nothing`, {
        headers: { Connection: 'Upgrade', Upgrade: 'websocket' },
      });
      request.on('error', () => resolve());
      request.on('response', (response) => response.resume().on('end', resolve));
      request.end();
    });
    expect((await get('/health/live')).status).toBe(200);
  });

  test('measures by route template', async () => {
    await get(`/v1/things/${userId}`);
    const text = await (await get('/metrics')).text();
    expect(text).toContain('route="/v1/things/:id"');
    expect(text).not.toContain(userId);
    expect(text).toContain('nodejs_eventloop_lag_p99_seconds');
  });

  test('readiness follows its critical checks', async () => {
    const health = service.app.get(HealthRegistry);
    health.register('database', () => Promise.reject(unavailable('gone')));
    const down = await get('/health/ready');
    expect(down.status).toBe(503);
    expect(await down.json()).toEqual({
      status: 'unavailable',
      checks: [{ name: 'database', status: 'down', critical: true, error: 'unavailable' }],
    });
    health.register('database', () => Promise.resolve());
    health.register('cache', () => Promise.reject(new Error()), { critical: false });
    const degraded = await get('/health/ready');
    expect(degraded.status).toBe(200);
    expect(await degraded.json()).toMatchObject({ status: 'degraded' });
    health.unregister('cache');
  });

  test('a dependency may be away for a moment', async () => {
    let isThere = true;
    service.health.register('server', () => (isThere ? Promise.resolve() : Promise.reject(new Error())));
    expect((await get('/health/ready')).status).toBe(200);
    isThere = false;
    const moment = await get('/health/ready');
    expect(moment.status).toBe(200);
    expect(await moment.json()).toMatchObject({
      status: 'degraded',
      checks: expect.arrayContaining([
        { name: 'server', status: 'down', critical: true, error: 'Error' },
      ]) as unknown,
    });
    await until('it is out of service', async () => (await get('/health/ready')).status === 503);
    isThere = true;
    expect((await get('/health/ready')).status).toBe(200);
    service.health.unregister('server');
  });

  test('a check that hangs counts as down', async () => {
    service.health.register('stuck', () => new Promise(() => undefined));
    const response = await get('/health/ready');
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      checks: expect.arrayContaining([
        expect.objectContaining({ name: 'stuck', error: 'timeout' }),
      ]) as unknown,
    });
    service.health.unregister('stuck');
  });
});

test('draining takes readiness down first and lets requests under way finish', async () => {
  const service = await runService({
    name: 'things',
    module: ThingModule,
    config: loadConfig(baseConfig, { PORT: '0', LOG_LEVEL: 'silent' }),
    ownsProcess: false,
  });
  const arrived = new Promise<void>((resolve) => (reached = resolve));
  const slow = fetch(`${service.url}/v1/things/slow`);
  await arrived;
  const closed = service.close();
  expect(await service.health.report()).toMatchObject({ status: 'draining' });
  release();
  const response = await slow;
  expect(response.status).toBe(200);
  await closed;
  await expect(fetch(`${service.url}/health/live`)).rejects.toThrow();
});
