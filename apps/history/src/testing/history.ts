import { startHistory } from '../app';
import { schema } from '../config';
import type { Problem } from '@parley/contracts';
import { loadConfig, type RunningService } from '@parley/service';
import { accessTokenFor, testKeys, until } from '@parley/testing';
import { storeOf } from '../store';
import type { StoreEnvironment } from './store';

export interface Answer<Body> {
  status: number;
  body: Body;
  headers: Headers;
}

/** A running instance and how to call it as somebody. Specs only. */
export class HistoryUnderTest {
  private constructor(readonly service: RunningService) {}

  static async start(store: StoreEnvironment, amqpUrl: string): Promise<HistoryUnderTest> {
    const { publicFile } = await testKeys();
    const config = loadConfig(schema, {
      PORT: '0',
      LOG_LEVEL: 'silent',
      ...store,
      AMQP_URL: amqpUrl,
      JWT_PUBLIC_KEYS_FILE: publicFile,
    });
    await storeOf(config).migrate(config);
    return new HistoryUnderTest(await startHistory(config, { ownsProcess: false }));
  }

  async get<Body = Problem>(userId: string | undefined, path: string): Promise<Answer<Body>> {
    return this.call<Body>('GET', userId, path);
  }

  async post<Body = Problem>(userId: string | undefined, path: string, body: unknown): Promise<Answer<Body>> {
    return this.call<Body>('POST', userId, path, body);
  }

  /** Value of a counter or gauge without labels. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.service.url}/metrics`)).text();
    return Number(new RegExp(`^${name} (.+)$`, 'm').exec(text)?.[1]);
  }

  /** Resolves once a gauge without labels has this value. */
  async shows(name: string, value: number): Promise<void> {
    await until(`${name} is ${value}`, async () => (await this.metric(name)) === value);
  }

  /** Resolves once readiness answers with this status. */
  async ready(status: number): Promise<void> {
    await until(`readiness answers with ${status}`, async () => {
      const response = await fetch(`${this.service.url}/health/ready`);
      await response.body?.cancel();
      return response.status === status;
    });
  }

  private async call<Body>(
    method: string,
    userId: string | undefined,
    path: string,
    body?: unknown,
  ): Promise<Answer<Body>> {
    const headers: Record<string, string> = { connection: 'close' };
    if (userId !== undefined) headers.authorization = `Bearer ${await accessTokenFor(userId)}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    const response = await fetch(`${this.service.url}${path}`, {
      method,
      headers,
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    return { status: response.status, headers: response.headers, body: (await response.json()) as Body };
  }
}
