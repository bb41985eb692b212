export { type AppInstance, type Apps, type AppsSetup, startApps } from './apps/apps';
export { type AppName, APPS, type Scale } from './apps/catalogue';
export type { GatewayInstance, GatewayOptions } from './apps/gateway';
export type { Instance } from './apps/instance';
export { type LoadBalancer, startLoadBalancer } from './apps/load-balancer';
export { migrate } from './apps/migrate';
export { type Stack, type StackOptions, startStack } from './apps/stack';
export { ensureKeys, keyEnvironment, type KeyFiles, readJwks } from './keys';
export { lastLines, OwnedProcess, type ProcessSpec } from './process/owned-process';
export { hold, letGo } from './process/guardian';
export { stopLeftovers } from './process/leftovers';
export { isAlive } from './process/process-table';
export { findHaproxy } from './servers/binaries';
export {
  type CertificateName,
  type CertificatePaths,
  certificatePaths,
  makeCertificates,
  tlsEnvironment,
  tlsOptions,
} from './servers/certificates';
export { brokerOf, databaseOf, redisOf } from './servers/clients';
export { requireBinaries, requireProgram } from './servers/install';
export { type GivenServers, givenServers } from './servers/given';
export { findMongo, type MongoSource, NO_MONGO } from './servers/mongodb/source';
export { otherDatabase } from './servers/mongodb/address';
export { kindOfMongo, type MongoKind, withMongo } from './servers/mongodb/probe';
export { mongoServer, prepareMongo } from './servers/mongodb/start';
export { type RedisPlan, redisServer } from './servers/redis';
export {
  MESSAGE_STORES,
  type MessageStore,
  type Servers,
  startServers,
  type StartServersOptions,
} from './servers/servers';
export type { Member, MongoServer, RabbitServer, Server, ServerName } from './servers/server';
export { readOptions, runCommand } from './system/command';
export { interruptions, unlessInterrupted } from './system/interruption';
export { LocalError } from './system/local-error';
export { freePort, isPortFree } from './system/ports';
export type { DemoLogin } from './start/demo';
export { readRunning, type Running } from './start/running';
