import { statfsSync } from 'node:fs';
import { LocalError } from '../system/local-error';

const FREE_BYTES_MIN = 1024 ** 3;

/**
 * PostgreSQL and RabbitMQ behave badly on a full disk, so that is said before.
 * @throws LocalError when less than 1 GiB is free where `dir` lies.
 */
export function requireDiskSpace(dir: string): void {
  const { bavail, bsize } = statfsSync(dir);
  const free = bavail * bsize;
  if (free >= FREE_BYTES_MIN) return;
  throw new LocalError(
    `Only ${Math.round(free / 1024 ** 2)} MiB are free on the disk of ${dir}.`,
    'Free at least 1 GiB and start again.',
  );
}
