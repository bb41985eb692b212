import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';

interface Refusal {
  status: string;
  title: string;
  code: string;
  detail: string;
}

const broken: Refusal = {
  status: '400 Bad Request',
  title: 'Invalid request',
  code: 'invalid_request',
  detail: 'This is no valid HTTP/1.1 request.',
};
const refusals: Record<string, Refusal> = {
  HPE_HEADER_OVERFLOW: {
    ...broken,
    status: '431 Request Header Fields Too Large',
    detail: 'The headers or the address are too long.',
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    ...broken,
    status: '408 Request Timeout',
    detail: 'The request did not arrive in time.',
  },
};

/** Answers what never became a request, then closes: nothing after it on this connection can be understood. */
export function answerBroken(error: NodeJS.ErrnoException, stream: NodeJS.ReadWriteStream): void {
  const socket = stream as Socket;
  if (error.code === 'ECONNRESET' || !socket.writable || socket.bytesWritten > 0) {
    socket.destroy();
    return;
  }
  const { status, title, code, detail } = refusals[error.code ?? ''] ?? broken;
  const requestId = randomUUID();
  const body = JSON.stringify({
    type: `urn:parley:problem:${code}`,
    title,
    status: Number(status.slice(0, 3)),
    detail,
    code,
    requestId,
  });
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/problem+json\r\nX-Request-Id: ${requestId}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
