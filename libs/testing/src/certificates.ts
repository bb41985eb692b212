import { resolve } from 'node:path';
import { makeCertificates as make } from '@parley/tool-local';

const WORKSPACE = resolve(__dirname, '../../..');

/** A private authority and certificates in `folder`, made by docker/certificates.mjs with its arguments `args`. */
export function makeCertificates(folder: string, args: string[] = []): Promise<void> {
  return make(WORKSPACE, folder, args);
}
