/** Mail addresses and usernames are ASCII, where lower case is all there is to fold. */
export function asciiKey(value: string): string {
  return value.toLowerCase();
}

/** Names of people are any Unicode: compatibility forms are unified, so that full-width or composed letters match. */
export function nameKey(value: string): string {
  return value.normalize('NFKC').toLowerCase();
}
