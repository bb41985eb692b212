/** What is the matter when a connection fails by its encryption, by Node's error codes. */
const failures: [RegExp, string][] = [
  [
    /^(SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_(VERIFY_LEAF_SIGNATURE|GET_ISSUER_CERT.*)|CERT_SIGNATURE_FAILURE|CERT_UNTRUSTED)$/,
    "The server's certificate is of an authority that is not trusted here: look at its CA file.",
  ],
  [/^CERT_HAS_EXPIRED$/, 'A certificate of the server, or of its authority, has expired.'],
  [/^CERT_NOT_YET_VALID$/, "The server's certificate is not valid yet: look at both clocks."],
  [
    /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    "The server's certificate is for other host names than the one in its address.",
  ],
  [
    /^ERR_SSL_(TLSV13_ALERT_CERTIFICATE_REQUIRED|SSLV3_ALERT_HANDSHAKE_FAILURE|SSLV3_ALERT_BAD_CERTIFICATE|SSLV3_ALERT_CERTIFICATE_\w+|TLSV1_ALERT_UNKNOWN_CA|TLSV1_ALERT_DECRYPT_ERROR)$/,
    'The server does not accept our certificate, or misses it: look at the CERT and KEY files.',
  ],
  [
    /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)$/,
    'The server does not speak TLS at this address.',
  ],
  [/^(ERR_SSL_|ERR_TLS_|CERT_)/, 'The encrypted connection could not be made.'],
];

interface Link {
  code?: unknown;
  message?: unknown;
  cause?: Link;
  /** What MongoDB's driver knows of its servers stands in the chain too, and names an error so. */
  error?: Link;
}

/** Drivers wrap errors; none deeper than this. */
const DEPTH_MAX = 5;

/** A sentence for operators, where an error, or what caused it, is one of encryption. */
export function tlsFailure(error: unknown): string | undefined {
  let link = (error ?? undefined) as Link | undefined;
  for (let depth = 0; link && depth < DEPTH_MAX; depth += 1, link = link.cause ?? link.error) {
    const { code, message } = link;
    // The PostgreSQL driver gives this one no code.
    if (message === 'The server does not support SSL connections') return 'The server has TLS switched off.';
    const found = typeof code === 'string' && failures.find(([pattern]) => pattern.test(code));
    if (found) return found[1];
  }
  return undefined;
}
