export { ConfigError } from './config/errors';
export { startGateway, type Gateway, type GatewayOptions } from './gateway';
export { renderKongConfig, type PublicJwk, type RateLimits, type RenderValues } from './render-config';
