/** Gives the W3C `traceparent` to send with the request that is about to leave; undefined for none. */
export type TraceSource = () => string | undefined;

/** A `traceparent` that begins a sampled trace; the deployment bounds how many of those it follows. */
export function newTraceparent(): string {
  return `00-${hex(16)}-${hex(8)}-01`;
}

function hex(bytes: number): string {
  const random = globalThis.crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
