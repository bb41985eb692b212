import {
  createdPrefix,
  isMessageCreated,
  readNumber,
  readStamp,
  readVersion,
  skipDigits,
  stampedBody,
  startsWith,
} from './packet';

const conversationId = '0190a0a0-0000-7000-8000-000000000001';

function event(name: string, payload: object): Buffer {
  return Buffer.from(JSON.stringify([name, payload]));
}

describe('packet', () => {
  const message = { id: 'm', number: 7, body: stampedBody(123_456_789, 64) };

  it('reads version and time of a delivery in place', () => {
    const bytes = event('message:created', { conversationId, version: 8, message });
    expect(isMessageCreated(bytes, 0, bytes.length)).toBe(true);
    expect(readVersion(bytes, 0, bytes.length)).toBe(8);
    expect(readStamp(bytes, 0, bytes.length)).toBe(123_456_789);
  });

  it('knows the events of a conversation by how they begin', () => {
    const bytes = event('message:created', { conversationId, version: 8, message });
    expect(startsWith(bytes, 0, bytes.length, createdPrefix(conversationId))).toBe(true);
    expect(startsWith(bytes, 0, bytes.length, createdPrefix(conversationId.replace('1', '2')))).toBe(false);
  });

  it('finds the version wherever it stands', () => {
    const bytes = event('message:created', { version: 12, conversationId, message });
    expect(readVersion(bytes, 0, bytes.length)).toBe(12);
  });

  it('tells other events apart', () => {
    const bytes = event('message:updated', { conversationId, version: 8, message });
    expect(isMessageCreated(bytes, 0, bytes.length)).toBe(false);
  });

  it('does not look beyond the packet', () => {
    const first = event('position', {});
    const bytes = Buffer.concat([first, event('message:created', { conversationId, version: 8, message })]);
    expect(readVersion(bytes, 0, first.length)).toBe(-1);
    expect(readStamp(bytes, 0, first.length)).toBe(-1);
  });

  it('pads a body to its length', () => {
    expect(stampedBody(1, 64)).toHaveLength(64);
  });

  it('reads numbers up to the first other byte', () => {
    const bytes = Buffer.from('431205["a"]');
    expect(readNumber(bytes, 2, bytes.length)).toBe(1205);
    expect(skipDigits(bytes, 2, bytes.length)).toBe(6);
    expect(readNumber(bytes, 6, bytes.length)).toBe(-1);
  });
});
