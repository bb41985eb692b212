import { Controller, Get, Ip, Module } from '@nestjs/common';
import { baseConfig, loadConfig, Public, runService, type RunningService, tokenConfig } from '.';
import { testKeys } from '@parley/testing';

@Controller('v1/address')
class AddressController {
  @Public()
  @Get()
  address(@Ip() address: string) {
    return { address };
  }
}

@Module({ controllers: [AddressController] })
class AddressModule {}

const PEER = '127.0.0.1';

async function start(trustedProxies: string): Promise<RunningService> {
  const config = loadConfig(baseConfig.extend(tokenConfig.shape), {
    PORT: '0',
    LOG_LEVEL: 'silent',
    TRUSTED_PROXIES: trustedProxies,
    JWT_PUBLIC_KEYS_FILE: (await testKeys()).publicFile,
  });
  return runService({ name: 'addresses', module: AddressModule, config, ownsProcess: false });
}

async function seenBy({ url }: RunningService, headers: Record<string, string>): Promise<string> {
  const response = await fetch(`${url}/v1/address`, { headers });
  return ((await response.json()) as { address: string }).address;
}

describe('the address of a client', () => {
  let behindProxy: RunningService;
  let withoutProxy: RunningService;
  beforeAll(async () => {
    [behindProxy, withoutProxy] = await Promise.all([start('loopback'), start('192.0.2.0/24')]);
  });
  afterAll(() => Promise.all([behindProxy.close(), withoutProxy.close()]));

  test.each<[string, Record<string, string>, string]>([
    ['is what a trusted proxy says', { 'X-Real-IP': '203.0.113.7' }, '203.0.113.7'],
    ['may be of IPv6', { 'X-Real-IP': '2001:db8::7' }, '2001:db8::7'],
    ['may be private', { 'X-Real-IP': '10.1.2.3' }, '10.1.2.3'],
    [
      'is not what the client said before',
      // Whose own address is one of the proxies', as in a private network.
      { 'X-Real-IP': '127.0.0.2', 'X-Forwarded-For': '203.0.113.7, 127.0.0.2' },
      '127.0.0.2',
    ],
    ['is the proxy’s where it says nothing', { 'X-Forwarded-For': '203.0.113.7' }, PEER],
    ['is the proxy’s where it names none', { 'X-Real-IP': 'unknown' }, PEER],
    ['is the proxy’s where several are named', { 'X-Real-IP': '203.0.113.7, 203.0.113.8' }, PEER],
  ])('%s', async (_name, headers, address) => {
    expect(await seenBy(behindProxy, headers)).toBe(address);
  });

  test('is its own where it comes past the proxies, whatever it says', async () => {
    const lies = { 'X-Real-IP': '203.0.113.7', 'X-Forwarded-For': '203.0.113.7, 192.0.2.1' };
    expect(await seenBy(withoutProxy, lies)).toBe(PEER);
  });
});
