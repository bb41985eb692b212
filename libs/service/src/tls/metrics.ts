import { gauge } from '../metrics';

/** `certificate`: `authority` and `client` are in our files, `server` is what the other side last showed. */
export const certificateExpiry = gauge(
  'tls_certificate_expiry_timestamp_seconds',
  'When the first of these certificates expires, in seconds since 1970.',
  ['server', 'certificate'],
);

export const filesBad = gauge(
  'tls_certificate_files_bad',
  '1 while the files of certificates cannot be used and the last good ones stay.',
  ['server'],
);
