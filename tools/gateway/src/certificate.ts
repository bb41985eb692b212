import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { createSecureContext } from 'node:tls';

export interface CertificateFiles {
  /** PEM files: the certificate with its chain, and its key. */
  certFile: string;
  keyFile: string;
}

const POLL_MS = 1000;
/** Files are replaced one after the other; all are there when nothing has changed for so long. */
const SETTLE_MS = 500;

/** The pair as it is now. Throws, naming the files, when it cannot be used. */
export function readCertificate({ certFile, keyFile }: CertificateFiles): { cert: Buffer; key: Buffer } {
  try {
    const pair = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
    createSecureContext(pair);
    return pair;
  } catch (error) {
    throw new Error(`${certFile} and ${keyFile} cannot be used: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** Calls back after a change of any; polled by path, since mounted secrets are replaced by swapping a link. */
export function watchFiles(files: readonly string[], onChange: () => void): () => void {
  let timer: NodeJS.Timeout | undefined;
  const changed = () => {
    clearTimeout(timer);
    timer = setTimeout(onChange, SETTLE_MS).unref();
  };
  for (const file of files) watchFile(file, { interval: POLL_MS, persistent: false }, changed);
  return () => {
    clearTimeout(timer);
    for (const file of files) unwatchFile(file, changed);
  };
}
