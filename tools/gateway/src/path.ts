/** Paths as Kong reads them, byte by byte (strings hold one byte per character, as Node's parser gives them). */

const reserved = new Set("!*'();:@&=+$,/?%#[]");

/** Decodes what needs no escape, resolves dots and merges slashes; `%2F` and other reserved escapes stay. */
export function normalisePath(raw: string): string {
  if (!/%|\.|\/\//.test(raw)) return raw;
  const decoded = raw.replace(/%([0-9a-f]{2})/gi, (escape, hex: string) => {
    const character = String.fromCharCode(parseInt(hex, 16));
    return reserved.has(character) ? escape.toUpperCase() : character;
  });
  const segments: string[] = [];
  const parts = decoded.split('/').slice(1);
  parts.forEach((part, index) => {
    const last = index === parts.length - 1;
    if (part === '..') segments.pop();
    if (part === '..' || part === '.' || part === '') {
      if (last) segments.push('');
    } else segments.push(part);
  });
  return `/${segments.join('/')}`;
}

/** Escapes what must not stand in a request line; the inverse of what `normalisePath` decoded. */
export function escapePath(path: string): string {
  return path.replace(
    /[^!#$&'()*+,/:;=?@[\]A-Z\d\-_.~%]/gi,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}
