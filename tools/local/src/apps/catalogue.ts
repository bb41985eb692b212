/** The apps of a deployment, in the order in which they are started. */
export const APPS = ['auth', 'messaging', 'history', 'presence', 'notification', 'realtime'] as const;

export type AppName = (typeof APPS)[number];

/** How many instances of each app; one where nothing is said. */
export type Scale = Partial<Record<AppName, number>>;

/** The apps with tables of their own; each has a `migrate.js` beside its `main.js`. */
export const APPS_WITH_TABLES: readonly AppName[] = ['auth', 'messaging', 'history', 'notification'];
