import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import { getLogger } from '../logging';
import { watchSettingsFile } from '../watched-file';
import type { NamedFile, TlsFiles } from './settings';
import { certificateExpiry, filesBad } from './metrics';

const log = getLogger('Certificates');

/** A certificate and its key are two files: both have been replaced when nothing has changed for so long. */
const settleMs = 1000;

/** Names the setting whose file cannot be used, and never what is in it. */
export class CertificateError extends Error {
  constructor(file: NamedFile, problem: string) {
    super(`${file.setting}: ${file.path} ${problem}`);
    this.name = 'CertificateError';
    this.stack = `${this.name}: ${this.message}`;
  }
}

/**
 * The certificates for the connections to one server, read from files that are watched: a connection takes those that
 * are good at its beginning, and keeps them. Files that turn bad are reported, and the last good ones stay in use.
 */
export class CertificateFiles {
  private loaded: SecureContext;
  private timer?: NodeJS.Timeout;
  private readonly unwatch: (() => void)[];
  private readonly onChange = () => {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.reload(), settleMs).unref();
  };

  /**
   * @param server names it in logs and metrics
   * @throws CertificateError for a file that cannot be read or used
   */
  constructor(
    private readonly server: string,
    private readonly files: TlsFiles,
  ) {
    this.loaded = this.load();
    this.unwatch = this.all().map(({ path }) => watchSettingsFile(path, this.onChange));
  }

  get current(): SecureContext {
    return this.loaded;
  }

  close(): void {
    clearTimeout(this.timer);
    for (const end of this.unwatch) end();
  }

  private all(): NamedFile[] {
    return [this.files.ca, this.files.cert, this.files.key].filter((file) => file !== undefined);
  }

  private reload(): void {
    try {
      this.loaded = this.load();
      log.info({ server: this.server }, 'The certificates were reloaded.');
    } catch (error) {
      filesBad.set({ server: this.server }, 1);
      log.error(
        { err: error, server: this.server },
        'A file of certificates is bad; the last good ones stay.',
      );
    }
  }

  private load(): SecureContext {
    const { ca, cert, key } = this.files;
    const authorities = ca && readCertificates(ca);
    const own = cert && readCertificates(cert);
    let context: SecureContext;
    try {
      context = createSecureContext({
        minVersion: 'TLSv1.2',
        ca: authorities?.pem,
        cert: own?.pem,
        key: key && read(key),
      });
    } catch (error) {
      throw new CertificateError(key ?? ca!, `cannot be used: ${(error as Error).message}`);
    }
    if (authorities) this.note('authority', authorities.expiresAtMs);
    if (own) this.note('client', own.expiresAtMs);
    if (ca ?? cert) filesBad.set({ server: this.server }, 0);
    return context;
  }

  private note(certificate: 'authority' | 'client', expiresAtMs: number): void {
    certificateExpiry.set({ server: this.server, certificate }, expiresAtMs / 1000);
    if (expiresAtMs < Date.now())
      log.error({ server: this.server, certificate }, 'A certificate of these files has expired.');
  }
}

/** The text of a PEM file and the end of the first of its certificates to expire. */
function readCertificates(file: NamedFile): { pem: string; expiresAtMs: number } {
  const pem = read(file);
  // OpenSSL would pass over what is no certificate, and trust nobody.
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (!blocks) throw new CertificateError(file, 'holds no certificate in PEM form');
  try {
    const ends = blocks.map((block) => Date.parse(new X509Certificate(block).validTo));
    return { pem, expiresAtMs: Math.min(...ends) };
  } catch {
    throw new CertificateError(file, 'holds a broken certificate');
  }
}

function read(file: NamedFile): string {
  try {
    return readFileSync(file.path, 'utf8');
  } catch (error) {
    throw new CertificateError(file, `cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}
