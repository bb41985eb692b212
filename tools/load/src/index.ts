export { table, whole } from './report/table';
export { instancesOf, startSystem, storeOf, type System, type SystemOptions } from './system';
export { HttpError, mapBounded, requestJson } from './world/http';
export { type Circle, circlesOf, createCircle } from './world/conversations';
export { type Person, registerPeople } from './world/people';
export { AccessTokens } from './world/tokens';
export { parseScale, parseStore } from './options';
