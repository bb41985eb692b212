export { clientTls } from './client-tls';
export { CertificateError } from './certificate-files';
