import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findMongo, freePort, type MongoServer, mongoServer } from '@parley/tool-local';
import { MONGO_FILES } from '../mongo.files';

const POLL_MS = 100;

/**
 * Starts MongoDB, or what stands in for it, once a suite asks for it by a file in `dir`, and answers by another file.
 * Few suites ask, and starting it may mean to build it first.
 */
export function serveMongo(dir: string, databaseUrl: string, say: (line: string) => void): void {
  const timer = setInterval(() => {
    if (!existsSync(join(dir, MONGO_FILES.wanted))) return;
    clearInterval(timer);
    start(dir, databaseUrl, say).then(
      ({ url, kind }) => writeWhole(join(dir, MONGO_FILES.started), JSON.stringify({ url, kind })),
      (error: unknown) => writeWhole(join(dir, MONGO_FILES.failed), String(error)),
    );
  }, POLL_MS);
}

async function start(dir: string, databaseUrl: string, say: (line: string) => void): Promise<MongoServer> {
  const plan = { dir, port: await freePort(), password: 'parley', databaseUrl };
  const server = await mongoServer(findMongo(process.env), plan, say);
  await server.start();
  return server;
}

function writeWhole(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
