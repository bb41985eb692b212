import type { Problem } from '@parley/contracts';
import { loadConfig, runMigrations, type RunningService } from '@parley/service';
import { accessTokenFor, testKeys, until } from '@parley/testing';
import { startNotification } from '../app';
import { schema } from '../config';
import { databaseSettings } from '../database';

/** A running instance and how to call it as somebody. Specs only. */
export class Instance {
  private constructor(readonly service: RunningService) {}

  static async start(environment: NodeJS.ProcessEnv): Promise<Instance> {
    const { publicFile } = await testKeys();
    const config = loadConfig(schema, {
      PORT: '0',
      LOG_LEVEL: 'silent',
      JWT_PUBLIC_KEYS_FILE: publicFile,
      NOTIFICATION_KEPT_PER_USER: '30',
      ...environment,
    });
    await runMigrations(databaseSettings(config));
    return new Instance(await startNotification(config, { ownsProcess: false }));
  }

  get<Body = Problem>(userId: string | undefined, path: string) {
    return this.call<Body>('GET', userId, path);
  }

  put<Body = Problem>(userId: string | undefined, path: string, body: unknown) {
    return this.call<Body>('PUT', userId, path, body);
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
  async ready(status: number, overall?: string): Promise<void> {
    await until(`readiness answers with ${status} ${overall ?? ''}`, async () => {
      const response = await fetch(`${this.service.url}/health/ready`);
      const report = (await response.json()) as { status: string };
      return response.status === status && (overall === undefined || report.status === overall);
    });
  }

  private async call<Body>(method: string, userId: string | undefined, path: string, body?: unknown) {
    const headers: Record<string, string> = { connection: 'close' };
    if (userId !== undefined) headers.authorization = `Bearer ${await accessTokenFor(userId)}`;
    if (body !== undefined) headers['content-type'] = 'application/json';
    const response = await fetch(`${this.service.url}${path}`, {
      method,
      headers,
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Body };
  }
}
