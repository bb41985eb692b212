import fc from 'fast-check';
import { v7 as uuid } from 'uuid';
import {
  decodeToken,
  encodeToken,
  hashOf,
  judge,
  newSecret,
  successorOf,
  type RotationState,
} from './refresh-token.rules';

/** What the service does with a verdict, on a session in memory. */
class Session {
  readonly id = uuid();
  readonly tokens: string[];
  private state: RotationState;
  ended = false;

  constructor() {
    const secret = newSecret();
    this.state = {
      generation: 0,
      currentHash: hashOf(secret),
      previousHash: null,
      successorNonce: null,
      tagKey: newSecret(),
    };
    this.tokens = [encodeToken({ sessionId: this.id, generation: 0, secret }, this.state.tagKey)];
  }

  present(text: string): string | undefined {
    const token = decodeToken(text);
    if (!token || this.ended) return undefined;
    const verdict = judge(token, this.state);
    if (verdict === 'replayed') this.ended = true;
    if (verdict !== 'rotate' && verdict !== 'repeat') return undefined;
    const nonce = verdict === 'repeat' && this.state.successorNonce ? this.state.successorNonce : newSecret();
    const secret = successorOf(token.secret, nonce);
    const generation = token.generation + 1;
    if (verdict === 'rotate') {
      this.state = {
        ...this.state,
        generation,
        currentHash: hashOf(secret),
        previousHash: this.state.currentHash,
        successorNonce: nonce,
      };
    }
    const next = encodeToken({ sessionId: this.id, generation, secret }, this.state.tagKey);
    if (verdict === 'rotate') this.tokens.push(next);
    return next;
  }
}

test('for any order of uses, the rule for lost answers holds', () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 5 }), { maxLength: 30 }), (ages) => {
      const session = new Session();
      for (const age of ages) {
        const newest = session.tokens.length - 1;
        const index = Math.max(0, newest - age);
        const wasEnded = session.ended;
        const next = session.present(session.tokens[index] ?? '');
        if (wasEnded) expect(next).toBeUndefined();
        else if (index >= newest - 1) expect(next).toBe(session.tokens[index + 1]);
        else {
          expect(next).toBeUndefined();
          expect(session.ended).toBe(true);
        }
      }
      expect(new Set(session.tokens).size).toBe(session.tokens.length);
    }),
  );
});

test('no changed byte makes a token that does anything', () => {
  const session = new Session();
  session.present(session.tokens[0] ?? '');
  session.present(session.tokens[1] ?? '');
  for (const text of session.tokens) {
    const bytes = Buffer.from(text, 'base64url');
    bytes.forEach((_, at) => {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      expect(session.present(changed.toString('base64url'))).toBeUndefined();
    });
  }
  expect(session.ended).toBe(false);
});

test('any text decodes to a token or to nothing, and only in one spelling', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.base64String()), (text) => {
      expect(decodeToken(text)).toBeUndefined();
    }),
  );
  const [token = ''] = new Session().tokens;
  expect(decodeToken(token)).toBeDefined();
  for (const spelling of [
    `${token}=`,
    `${token} `,
    ` ${token}`,
    token.replaceAll('_', '/').replaceAll('-', '+') + '==',
  ]) {
    expect(decodeToken(spelling)).toBeUndefined();
  }
});
