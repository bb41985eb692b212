import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { asyncApiDocument } from './asyncapi';
import { openApiDocument } from './openapi';

export { checkCommands } from './commands';

const workspace = join(__dirname, '..', '..', '..');

/** The generated documents, by their path in the workspace, as Prettier wants them. */
export async function documents(): Promise<Record<string, string>> {
  const manifest = readFileSync(join(workspace, 'package.json'), 'utf8');
  const { version } = JSON.parse(manifest) as { version: string };
  return {
    'docs/api/openapi.json': await formatted(openApiDocument(version)),
    'docs/api/asyncapi.json': await formatted(asyncApiDocument(version)),
  };
}

/** Writes them; resolves to their paths. */
export async function writeDocuments(): Promise<string[]> {
  const all = Object.entries(await documents());
  for (const [path, text] of all) {
    const file = join(workspace, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return all.map(([path]) => path);
}

async function formatted(document: unknown): Promise<string> {
  const options = await resolveConfig(join(workspace, 'package.json'));
  return format(JSON.stringify(document), { ...options, parser: 'json' });
}
