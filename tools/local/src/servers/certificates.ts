import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createSecureContext, type ConnectionOptions } from 'node:tls';
import { promisify } from 'node:util';
import { inheritedEnvironment } from '../process/environment';
import { LocalError } from '../system/local-error';

const run = promisify(execFile);

/** Paths of PEM files: whom to trust, and what to show. */
export interface CertificatePaths {
  ca: string;
  cert: string;
  key: string;
}

/** Who has a certificate of its own in a folder of `makeCertificates`. */
export type CertificateName = 'postgres' | 'redis' | 'rabbitmq' | 'mongodb' | 'gateway' | 'client';

/**
 * Makes a private authority and a certificate for everything that speaks TLS, with the command that operators have.
 *
 * @param folder keeps what is there, unless `args` say otherwise
 * @param args of docker/certificates.mjs
 * @throws LocalError without openssl
 */
export async function makeCertificates(
  workspace: string,
  folder: string,
  args: string[] = [],
): Promise<void> {
  const program = join(workspace, 'docker/certificates.mjs');
  try {
    await run(process.execPath, [program, ...args, folder], { env: inheritedEnvironment() });
  } catch (error) {
    const said = String((error as { stderr?: string }).stderr ?? error).trim();
    throw new LocalError(`The certificates cannot be made: ${said}`, 'Install openssl and start again.');
  }
}

export function certificatePaths(folder: string, name: CertificateName): CertificatePaths {
  return {
    ca: join(folder, 'ca.pem'),
    cert: join(folder, `${name}.pem`),
    key: join(folder, `${name}.key`),
  };
}

/** How the apps are told of them. */
export function tlsEnvironment({ ca, cert, key }: CertificatePaths): Record<string, string> {
  return { TLS_CA_FILE: ca, TLS_CERT_FILE: cert, TLS_KEY_FILE: key };
}

/** Options of a connection, with the files as they are now. A file may be left out where servers ask for none. */
export function tlsOptions({ ca, cert, key }: Partial<CertificatePaths>): ConnectionOptions {
  const read = (file: string | undefined) => (file === undefined ? undefined : readFileSync(file));
  const secureContext = createSecureContext({ ca: read(ca), cert: read(cert), key: read(key) });
  return { secureContext, rejectUnauthorized: true };
}
