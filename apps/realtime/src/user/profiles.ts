import type { Broker, Requester } from '@parley/broker';
import { limits, type ServerPayload } from '@parley/contracts';
import { TurnBatch } from '@parley/service';

export type Profile = ServerPayload<'ready'>['user'];

interface Question {
  userId: string;
  /** What was told of the user since the question was asked: its answer may be older. */
  heard?: Profile;
  promise: Promise<Profile | undefined>;
  answer: (profile: Profile | undefined) => void;
  fail: (error: unknown) => void;
}

const KEPT_MAX = 50_000;

/**
 * Names of users, for `ready`. Asked of auth once, many in one question, and kept up to date by its events while the
 * broker is there.
 */
export class Profiles {
  private readonly known = new Map<string, Profile>();
  private readonly asked = new Map<string, Question>();
  private readonly unsent = new TurnBatch<Question>(limits.userIdsPerRequestMax, (batch) => this.ask(batch));
  /** Rises whenever events may have been missed: what was asked before is not kept. */
  private generation = 0;

  constructor(
    private readonly requester: Requester,
    broker: Broker,
  ) {
    broker.on('disconnected', () => {
      this.generation += 1;
      this.known.clear();
    });
  }

  /** Undefined when there is no such user any more. Rejects with `unavailable` while auth is away. */
  get(userId: string): Promise<Profile | undefined> {
    const known = this.known.get(userId);
    if (known) return Promise.resolve(known);
    const asked = this.asked.get(userId);
    if (asked) return asked.promise;
    const question = newQuestion(userId);
    this.asked.set(userId, question);
    this.unsent.add(question);
    return question.promise;
  }

  /** A user changed; matters only where the name is kept, or will be. */
  hear(profile: Profile): void {
    if (this.known.has(profile.id)) this.known.set(profile.id, profile);
    const asked = this.asked.get(profile.id);
    if (asked) asked.heard = profile;
  }

  private async ask(questions: Question[]): Promise<void> {
    const { generation } = this;
    try {
      const { users } = await this.requester.query('auth.users', {
        ids: questions.map(({ userId }) => userId),
      });
      const byId = new Map(users.map((user) => [user.id, user]));
      for (const question of questions) {
        const profile = question.heard ?? byId.get(question.userId);
        if (profile && generation === this.generation) this.keep(profile);
        question.answer(profile);
      }
    } catch (error) {
      for (const question of questions) question.fail(error);
    } finally {
      for (const { userId } of questions) this.asked.delete(userId);
    }
  }

  private keep(profile: Profile): void {
    const [oldest] = this.known.keys();
    if (this.known.size >= KEPT_MAX && oldest !== undefined) this.known.delete(oldest);
    this.known.set(profile.id, profile);
  }
}

function newQuestion(userId: string): Question {
  let answer!: Question['answer'];
  let fail!: Question['fail'];
  const promise = new Promise<Profile | undefined>((resolve, reject) => {
    answer = resolve;
    fail = reject;
  });
  return { userId, promise, answer, fail };
}
