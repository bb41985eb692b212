/** By these files in the servers' directory a suite asks the keeper for MongoDB, and hears of it. */
export const MONGO_FILES = {
  wanted: 'mongodb.wanted',
  started: 'mongodb.json',
  failed: 'mongodb.failure.txt',
} as const;
