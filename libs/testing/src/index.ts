export { makeCertificates } from './certificates';
export { freshDatabase, freshRedis, freshVhost } from './fresh';
export { interruptible, type Interruptible } from './interruptible';
export { managementRequest } from './management';
export { describeMongo, testMongo, type TestMongo } from './mongo';
export { OtlpReceiver, type ReceivedSpan } from './otlp-receiver';
export { privateRedis } from './private-redis';
export { testServers, type TestServers } from './servers';
export { accessTokenFor, testKeys, ticketFor, type TokenOptions } from './tokens';
