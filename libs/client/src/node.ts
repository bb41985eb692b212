/** What needs Node: not part of `@parley/client` itself, which runs in browsers. */
export { FileStorage } from './node/file-storage';
