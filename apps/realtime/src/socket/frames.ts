import type { ServerEvent, ServerPayload } from '@parley/contracts';

/** Engine.IO's `message` packet around Socket.IO's `EVENT` and `ACK` packets of the main namespace. */
const EVENT_PREFIX = '42';
const ACK_PREFIX = '43';

/** FIN and the opcode of a text frame; frames from a server are not masked (RFC 6455, section 5.2). */
const TEXT_FRAME = 0x81;

/** The websocket frame of one server event, as it goes out to any number of sockets. */
export function eventFrame<E extends ServerEvent>(event: E, payload: ServerPayload<E>): Buffer {
  return textFrame(`${EVENT_PREFIX}["${event}",${JSON.stringify(payload)}]`);
}

/** The websocket frame that answers the client's event with this acknowledgement id. */
export function ackFrame(id: number, body: object): Buffer {
  return textFrame(`${ACK_PREFIX}${id}[${JSON.stringify(body)}]`);
}

function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const header = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(header + length);
  frame[0] = TEXT_FRAME;
  if (header === 2) {
    frame[1] = length;
  } else if (header === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeUInt32BE(0, 2);
    frame.writeUInt32BE(length, 6);
  }
  frame.write(text, header, 'utf8');
  return frame;
}
