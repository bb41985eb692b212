import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { inheritedEnvironment } from '../../process/environment';
import { LocalError } from '../../system/local-error';

const run = promisify(execFile);

const WORKSPACE = resolve(__dirname, '../../../../..');
const SOURCE = join(WORKSPACE, 'tools/local/ferretdb');

/**
 * The FerretDB program of `tools/local/ferretdb`, built first where that has not happened since its sources changed
 * (a minute or two at the first time, with its modules). It lies in the workspace's `.local`.
 * @throws LocalError with what the compiler said.
 */
export async function buildFerret(go: string, onProgress: (line: string) => void): Promise<string> {
  const hash = createHash('sha256');
  for (const name of ['main.go', 'go.mod', 'go.sum']) hash.update(readFileSync(join(SOURCE, name)));
  const dir = join(WORKSPACE, '.local/ferretdb', hash.digest('hex').slice(0, 16));
  const program = join(dir, 'ferretdb');
  if (existsSync(program)) return program;
  onProgress('Building FerretDB, which stands in for MongoDB (a minute or two, one time)');
  mkdirSync(dir, { recursive: true });
  // Several runs may build at once: each its own file, and any of them is the program.
  const part = `${program}.${process.pid}`;
  try {
    // Without the other backend, by far the largest part.
    await run(go, ['build', '-trimpath', '-buildvcs=false', '-tags', 'ferretdb_no_sqlite', '-o', part, '.'], {
      cwd: SOURCE,
      env: { ...inheritedEnvironment(), ...goEnvironment(), CGO_ENABLED: '0' },
      maxBuffer: 16 * 1024 * 1024,
    });
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    throw new LocalError(
      `FerretDB could not be built:\n${stderr.trim().slice(-2000)}`,
      'It needs Go 1.24 or newer and its module proxy; or install MongoDB, or name a server with MONGODB_URL.',
    );
  }
  renameSync(part, program);
  return program;
}

/** Where this machine gets modules from and keeps them. */
function goEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value !== undefined && /^(GO|HTTPS?_PROXY|NO_PROXY|SSL_CERT_|XDG_CACHE_HOME)/i.test(name)
        ? [[name, value]]
        : [],
    ),
  );
}
