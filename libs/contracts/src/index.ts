export * from './errors';
export * from './limits';
export * from './common';
export * from './validation';
