/** Under the text of a line that goes on: what somebody wrote is never mistaken for a line of the program's or of another. */
const CONTINUATION = '\n        ';
const lineEnds = /\r\n|[\n\r\u0085\u2028\u2029]/g;
/** What moves a terminal's cursor, changes its colours or title, answers for it; and what turns around the text beside it. */
const commands = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** The text as a terminal may be given it: whoever wrote it, it is shown and does nothing. Tabs stay, controls become visible. */
export function printable(text: string): string {
  return text.replace(lineEnds, CONTINUATION).replace(commands, shown);
}

function shown(character: string): string {
  const code = character.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return '\u2421';
  return `<${code.toString(16).toUpperCase().padStart(4, '0')}>`;
}
