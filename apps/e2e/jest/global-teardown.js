// Runs once per jest run, at its end: stops the system, then what all projects share.
const sharedTeardown = require('../../../libs/testing/jest/global-teardown.js');

module.exports = async () => {
  const keeper = globalThis.parleyE2eKeeper;
  if (keeper && keeper.exitCode === null && keeper.signalCode === null) {
    const ended = new Promise((resolve) => keeper.once('exit', resolve));
    keeper.disconnect();
    await ended;
  }
  await sharedTeardown();
};
