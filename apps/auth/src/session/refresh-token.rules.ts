import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * Refresh tokens rotate, and a lost answer must not log anybody out: the token that was just rotated answers again with
 * the very same successor until that successor is used. Nothing at rest may serve as a token, so the successor is not
 * kept: its secret is HMAC(nonce, secret of its predecessor), and whoever presents the predecessor lets us compute it again.
 * The nonce alone, or a stolen predecessor alone, gives nothing.
 *
 * A token is base64url of: session id (16 bytes), generation (4), secret (32), tag (16). The tag is an HMAC under the
 * session's own key over the rest. By it a token that the session gave out long ago is told from a made-up one: the first
 * was stolen or replayed and ends the session, the second must not be able to.
 */
export interface RefreshToken {
  sessionId: string;
  generation: number;
  secret: Buffer;
}

interface ReceivedToken extends RefreshToken {
  signed: Buffer;
  tag: Buffer;
}

/** What of a session decides about a token. */
export interface RotationState {
  generation: number;
  currentHash: Buffer;
  previousHash: Buffer | null;
  successorNonce: Buffer | null;
  tagKey: Buffer;
}

/**
 * - `rotate`: the current token, used for the first time.
 * - `repeat`: its predecessor, whose answer was lost.
 * - `replayed`: an older one that this session did give out.
 * - `unknown`: not a token of this session.
 */
export type Verdict = 'rotate' | 'repeat' | 'replayed' | 'unknown';

const bytes = { id: 16, generation: 4, secret: 32, tag: 16 };
const signedBytes = bytes.id + bytes.generation + bytes.secret;

export function newSecret(): Buffer {
  return randomBytes(bytes.secret);
}

export function hashOf(secret: Buffer): Buffer {
  return createHash('sha256').update(secret).digest();
}

export function successorOf(secret: Buffer, nonce: Buffer): Buffer {
  return createHmac('sha256', nonce).update(secret).digest();
}

export function encodeToken(token: RefreshToken, tagKey: Buffer): string {
  const signed = Buffer.alloc(signedBytes);
  signed.write(token.sessionId.replaceAll('-', ''), 0, 'hex');
  signed.writeUInt32BE(token.generation, bytes.id);
  token.secret.copy(signed, bytes.id + bytes.generation);
  return Buffer.concat([signed, tagOf(signed, tagKey)]).toString('base64url');
}

/** Undefined for anything that is not exactly of the form of a token. */
export function decodeToken(text: string): ReceivedToken | undefined {
  const all = Buffer.from(text, 'base64url');
  if (all.length !== signedBytes + bytes.tag || all.toString('base64url') !== text) return undefined;
  const hex = all.toString('hex', 0, bytes.id);
  return {
    sessionId: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
    generation: all.readUInt32BE(bytes.id),
    secret: all.subarray(bytes.id + bytes.generation, signedBytes),
    signed: all.subarray(0, signedBytes),
    tag: all.subarray(signedBytes),
  };
}

export function judge(token: ReceivedToken, state: RotationState): Verdict {
  if (!timingSafeEqual(token.tag, tagOf(token.signed, state.tagKey))) return 'unknown';
  const hash = hashOf(token.secret);
  if (token.generation === state.generation) return hash.equals(state.currentHash) ? 'rotate' : 'unknown';
  if (token.generation === state.generation - 1) {
    return state.previousHash && hash.equals(state.previousHash) ? 'repeat' : 'unknown';
  }
  return token.generation < state.generation ? 'replayed' : 'unknown';
}

function tagOf(signed: Buffer, tagKey: Buffer): Buffer {
  return createHmac('sha256', tagKey).update(signed).digest().subarray(0, bytes.tag);
}
