/**
 * Every error code that a client can meet, with the HTTP status that carries it and whether the same request may be
 * sent again. The codes are stable: programs match on them, people read `detail`.
 */
export const errorCatalog = {
  invalid_request: { status: 400, title: 'Invalid request', retry: false },
  unauthenticated: { status: 401, title: 'Unauthenticated', retry: false },
  token_expired: { status: 401, title: 'Token expired', retry: false },
  invalid_credentials: { status: 401, title: 'Invalid credentials', retry: false },
  totp_required: { status: 401, title: 'Second factor required', retry: false },
  forbidden: { status: 403, title: 'Forbidden', retry: false },
  blocked: { status: 403, title: 'Blocked', retry: false },
  not_found: { status: 404, title: 'Not found', retry: false },
  conflict: { status: 409, title: 'Conflict', retry: false },
  idempotency_mismatch: { status: 409, title: 'Idempotency mismatch', retry: false },
  payload_too_large: { status: 413, title: 'Payload too large', retry: false },
  unsupported_media_type: { status: 415, title: 'Unsupported media type', retry: false },
  rate_limited: { status: 429, title: 'Too many requests', retry: true },
  internal: { status: 500, title: 'Internal error', retry: true },
  unavailable: { status: 503, title: 'Unavailable', retry: true },
} as const satisfies Record<string, { status: number; title: string; retry: boolean }>;

export type ErrorCode = keyof typeof errorCatalog;

export interface FieldError {
  /** Path of the field in the request, joined by dots; empty for the request as a whole. */
  path: string;
  message: string;
}

export interface ErrorExtras {
  /** When it makes sense to try again, in milliseconds. */
  retryAfterMs?: number;
  errors?: FieldError[];
}

/** The body of an error as it travels in socket acks and broker replies. */
export interface ErrorBody extends ErrorExtras {
  code: ErrorCode;
  message: string;
}

/** An answer that the caller is meant to see. Anything else that is thrown becomes `internal` and is logged. */
export class ParleyError extends Error {
  readonly retryAfterMs?: number;
  readonly errors?: FieldError[];

  constructor(
    readonly code: ErrorCode,
    message: string = errorCatalog[code].title,
    extras: ErrorExtras = {},
  ) {
    super(message);
    this.name = 'ParleyError';
    this.retryAfterMs = extras.retryAfterMs;
    this.errors = extras.errors;
  }

  get status(): number {
    return errorCatalog[this.code].status;
  }

  toBody(): ErrorBody {
    const body: ErrorBody = { code: this.code, message: this.message };
    if (this.retryAfterMs !== undefined) body.retryAfterMs = this.retryAfterMs;
    if (this.errors !== undefined) body.errors = this.errors;
    return body;
  }

  static fromBody(body: ErrorBody): ParleyError {
    const code = body.code in errorCatalog ? body.code : 'internal';
    return new ParleyError(code, body.message, body);
  }
}

/** The honest answer when something behind is away; the wait is what clients should leave before they retry. */
export function unavailable(message: string, retryAfterMs = 500): ParleyError {
  return new ParleyError('unavailable', message, { retryAfterMs });
}
