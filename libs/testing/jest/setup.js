// Runs in every suite. Real servers may first have to start, and the machine may be busy: a hang is found late, but
// nothing fails by chance.
jest.setTimeout(300_000);
