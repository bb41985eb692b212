import { randomBytes } from 'node:crypto';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Algorithm, hash, verify } from '@node-rs/argon2';
import { unavailable } from '@parley/contracts';
import { gauge, histogram } from '@parley/service';

/** Argon2id with 19 MiB and two passes, as OWASP asks at least. `Algorithm` is a const enum, hence the number. */
const argon2id = 2 satisfies Algorithm.Argon2id;
const parameters = { algorithm: argon2id as Algorithm, memoryCost: 19_456, timeCost: 2, parallelism: 1 };

const seconds = histogram('auth_password_hash_seconds', 'Time of one argon2 run, without waiting.', ['work']);
// There from the start, so that a rate counts the first run of an instance.
for (const work of ['hash', 'verify']) seconds.zero({ work });

/**
 * Hashes and compares passwords, a few at a time: each run takes 19 MiB and a core, so a flood of logins must wait in
 * line, and beyond the line be refused, rather than take the machine.
 */
@Injectable()
export class PasswordHasher implements OnModuleInit {
  private running = 0;
  private readonly waiting: (() => void)[] = [];
  private decoy = '';

  constructor(
    private readonly concurrency: number,
    private readonly queueMax: number,
  ) {}

  async onModuleInit(): Promise<void> {
    this.decoy = await hash(randomBytes(16), parameters);
    const waiting = this.waiting;
    gauge('auth_password_hash_waiting', 'Argon2 runs that wait for their turn.', [], function () {
      this.set(waiting.length);
    });
  }

  /** @throws `unavailable` when too many wait */
  hash(password: string): Promise<string> {
    return this.inTurn('hash', () => hash(normalised(password), parameters));
  }

  /**
   * Whether the password fits. For an account that does not exist (undefined) it does the same work and says no, so that
   * time does not tell who has an account.
   *
   * @throws `unavailable` when too many wait
   */
  async verify(encoded: string | undefined, password: string): Promise<boolean> {
    const fits = await this.inTurn('verify', () => verify(encoded ?? this.decoy, normalised(password)));
    return fits && encoded !== undefined;
  }

  private async inTurn<T>(work: string, run: () => Promise<T>): Promise<T> {
    if (this.running < this.concurrency) this.running += 1;
    else if (this.waiting.length >= this.queueMax)
      throw unavailable('Too many log in at once. Try again.', 2000);
    // Whoever finishes hands its place on, so `running` stays as it is.
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    const stop = seconds.startTimer({ work });
    try {
      return await run();
    } finally {
      stop();
      const next = this.waiting.shift();
      if (next) next();
      else this.running -= 1;
    }
  }
}

/** The same characters typed on another keyboard may be other code points. */
function normalised(password: string): string {
  return password.normalize('NFKC');
}
