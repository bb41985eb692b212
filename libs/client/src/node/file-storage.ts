import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { KeyValueStorage } from '../environment';

const SUFFIX = '.json';

/**
 * Keeps a client's values in a directory, one file for each key, so that they outlive the process and a crash of the
 * machine. For one process at a time. Files are readable by their owner alone: tokens are among them.
 */
export class FileStorage implements KeyValueStorage {
  private drafts = 0;

  constructor(private readonly directory: string) {}

  async get(key: string): Promise<string | undefined> {
    try {
      return await readFile(this.fileOf(key), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** On disk when it resolves, and never half: the outbox counts on that. */
  async set(key: string, value: string): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    this.drafts += 1;
    const draft = `${this.fileOf(key)}.${this.drafts}`;
    const file = await open(draft, 'w', 0o600);
    try {
      await file.writeFile(value);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, this.fileOf(key));
  }

  async delete(key: string): Promise<void> {
    await rm(this.fileOf(key), { force: true });
  }

  async keys(prefix: string): Promise<string[]> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    const names = await readdir(this.directory);
    return names
      .filter((name) => name.endsWith(SUFFIX))
      .map((name) => decodeURIComponent(name.slice(0, -SUFFIX.length)))
      .filter((key) => key.startsWith(prefix));
  }

  private fileOf(key: string): string {
    return join(this.directory, encodeURIComponent(key) + SUFFIX);
  }
}
