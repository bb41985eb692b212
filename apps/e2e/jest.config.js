module.exports = {
  ...require('../../jest.preset.js'),
  displayName: 'e2e',
  globalSetup: `${__dirname}/jest/global-setup.js`,
};
