import { ParleyClient } from './client';

const user = { id: 'u', username: 'alice', displayName: 'Alice', email: '', createdAt: '' };
const tokens = { tokenType: 'Bearer', accessToken: 'a', refreshToken: 'r', expiresIn: 600 };

it('does not wait for a connection that nobody can have', async () => {
  const client = new ParleyClient({
    url: 'http://127.0.0.1:9',
    fetch: () => Promise.resolve(Response.json({ user, tokens })),
  });
  await expect(client.connect()).rejects.toMatchObject({ code: 'unauthenticated' });
  await client.login({ login: 'alice', password: 'secret' });
  const connecting = client.connect();
  client.disconnect();
  // Who leaves is signed in as before.
  await expect(connecting).rejects.toMatchObject({ code: 'unavailable' });
  await client.close();
});
