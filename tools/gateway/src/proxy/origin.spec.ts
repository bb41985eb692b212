import { TrustedProxies } from './origin';

const proxies = new TrustedProxies(['10.0.0.0/8', '192.0.2.1', '2001:db8::/32']);

describe('where a request came from', () => {
  it.each([
    ['a stranger, whatever it says', '198.51.100.1', '203.0.113.9', '198.51.100.1'],
    ['a proxy of ours that says nothing', '10.0.0.1', undefined, '10.0.0.1'],
    ['a client by way of a proxy', '10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['a client by way of two', '10.0.0.1', '203.0.113.9, 192.0.2.1', '203.0.113.9'],
    ['a client that made something up', '10.0.0.1', '1.1.1.1, 203.0.113.9', '203.0.113.9'],
    ['a proxy that passes on nonsense', '10.0.0.1', 'unknown', '10.0.0.1'],
    ['nonsense before the client', '10.0.0.1', 'unknown,203.0.113.9', '203.0.113.9'],
    ['one of ours behind one of ours', '10.0.0.1', '10.0.0.2, 10.0.0.3', '10.0.0.2'],
    ['an address with its port', '10.0.0.1', '203.0.113.9:4711', '203.0.113.9'],
    ['version 6', '2001:db8::1', '2001:db9::7', '2001:db9::7'],
    ['version 4 in the clothes of version 6', '::ffff:10.0.0.1', '203.0.113.9', '203.0.113.9'],
  ])('is %s', (_, peer, forwardedFor, address) => {
    expect(proxies.originOf(peer, forwardedFor).address).toBe(address);
  });

  it('is the peer where nobody is trusted', () => {
    expect(new TrustedProxies().originOf('127.0.0.1', '203.0.113.9')).toEqual({
      address: '127.0.0.1',
      peer: '127.0.0.1',
      trusted: false,
    });
  });

  it.each(['nowhere', '10.0.0.0/33', '10.0.0.0/x', '/8'])('refuses %s', (network) => {
    expect(() => new TrustedProxies([network])).toThrow(`${network} is no address and no network`);
  });
});
