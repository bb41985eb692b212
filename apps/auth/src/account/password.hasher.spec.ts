import { metricsRegistry } from '@parley/service';
import { PasswordHasher } from './password.hasher';

describe('the password hasher', () => {
  test('counts both kinds of work from nought, before there is any', async () => {
    const metrics = await metricsRegistry.metrics();
    for (const work of ['hash', 'verify'])
      expect(metrics).toContain(`auth_password_hash_seconds_count{work="${work}"} 0\n`);
  });

  test('works a few at a time, in order, and refuses what is beyond its line', async () => {
    const hasher = new PasswordHasher(1, 2);
    await hasher.onModuleInit();
    const done: number[] = [];
    const work = [0, 1, 2].map((n) => hasher.verify(undefined, 'x').then(() => done.push(n)));
    await expect(hasher.hash('x')).rejects.toMatchObject({ code: 'unavailable' });
    await Promise.all(work);
    expect(done).toEqual([0, 1, 2]);
    await expect(hasher.hash('x')).resolves.toContain('$argon2id$v=19$m=19456,t=2,p=1$');
  });

  test('an account that does not exist never fits', async () => {
    const hasher = new PasswordHasher(1, 2);
    await hasher.onModuleInit();
    expect(await hasher.verify(undefined, 'x')).toBe(false);
    const encoded = await hasher.hash('x');
    expect(await hasher.verify(encoded, 'x')).toBe(true);
    expect(await hasher.verify(encoded, 'X')).toBe(false);
  });
});
