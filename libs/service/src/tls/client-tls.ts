import { checkServerIdentity, type ConnectionOptions, type PeerCertificate } from 'node:tls';
import { isEncrypted, type TlsServer } from './address';
import { CertificateFiles } from './certificate-files';
import { certificateExpiry } from './metrics';
import { filesFor } from './settings';

/** As health checks call them. */
const labels: Record<TlsServer, string> = {
  DATABASE: 'database',
  REDIS: 'redis',
  AMQP: 'broker',
  MONGODB: 'mongodb',
};

/** Pools and clients of one process share the watching of one set of files. */
const opened = new Map<string, CertificateFiles>();

/**
 * Options of `tls.connect` for connections to one server, as its settings say: the authority and the host name are
 * always checked, at least TLS 1.2 is spoken, and each new connection takes the newest certificates. Undefined where
 * the address asks for no encryption.
 *
 * @param config a service's whole configuration, or the part that concerns the server
 * @throws CertificateError for a file that cannot be read or used
 */
export function clientTls(server: TlsServer, config: object): ConnectionOptions | undefined {
  const given = config as Record<string, unknown>;
  const url = given[`${server}_URL`];
  if (typeof url !== 'string' || !isEncrypted(server, url)) return undefined;
  const files = filesFor(server, given);
  const label = labels[server];
  const key = JSON.stringify([label, files]);
  const certificates = opened.get(key) ?? new CertificateFiles(label, files);
  opened.set(key, certificates);
  return {
    // Drivers copy these options when they start; what may change stands behind a reference that they keep.
    secureContext: {
      get context(): unknown {
        return certificates.current.context;
      },
    },
    rejectUnauthorized: true,
    checkServerIdentity(host: string, certificate: PeerCertificate) {
      certificateExpiry.set(
        { server: label, certificate: 'server' },
        Date.parse(certificate.valid_to) / 1000,
      );
      return checkServerIdentity(host, certificate);
    },
  };
}
