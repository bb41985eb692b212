/** The address of another database of the same server: with the same user, who is of the database that `url` names. */
export function otherDatabase(url: string, name: string): string {
  // Not by URL, which knows no list of hosts.
  const [, before = url, database = '', query = ''] =
    /^(\w+(?:\+srv)?:\/\/[^/?]+)\/?([^?]*)\??(.*)$/.exec(url) ?? [];
  const settings = query.split('&').filter(Boolean);
  if (!/auth(Source|Mechanism)=/.test(query)) settings.push(`authSource=${database || 'admin'}`);
  return `${before}/${name}?${settings.join('&')}`;
}
