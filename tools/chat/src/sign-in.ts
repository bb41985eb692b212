import { ParleyClient, ParleyError } from '@parley/client';

export interface Asker {
  /** Asks the person at the terminal; undefined where there is none. */
  ask(question: string, options?: { secret: boolean }): Promise<string | undefined>;
}

/**
 * Goes on with the session of the last time; else logs in with the password given or asked for, and registers somebody
 * whom nobody knows, if they want that.
 *
 * @throws Error with advice when there is no way in
 */
export async function signIn(
  client: ParleyClient,
  username: string,
  password: string | undefined,
  asker: Asker,
): Promise<void> {
  if (await goesOn(client)) return;
  const given = password ?? (await asker.ask(`Password of ${username}: `, { secret: true }));
  if (given === undefined) throw new Error(`Say the password of ${username}: --password …`);
  try {
    await client.login({ login: username, password: given });
  } catch (error) {
    if (!(error instanceof ParleyError) || error.code !== 'invalid_credentials') throw error;
    const answer = await asker.ask(`No such login. Register ${username} with this password? (y/N) `);
    if (answer?.toLowerCase() !== 'y') throw error;
    const email = `${username.toLowerCase()}@example.com`;
    await client.register({ email, username, password: given, displayName: username });
  }
}

async function goesOn(client: ParleyClient): Promise<boolean> {
  if (!(await client.restore())) return false;
  try {
    await client.api.getMe();
    return true;
  } catch (error) {
    // Kept by an earlier run of another deployment, or ended from elsewhere.
    if (error instanceof ParleyError && error.status === 401) return false;
    throw error;
  }
}
