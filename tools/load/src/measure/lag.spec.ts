import { parseLag } from './lag';

describe('parseLag', () => {
  it('adds up the lag of all partitions', () => {
    const text = [
      '# HELP parley_feed_lag_rows Rows announced but not applied.',
      '# TYPE parley_feed_lag_rows gauge',
      'parley_feed_lag_rows{lane="1"} 3',
      'parley_feed_lag_rows{lane="2"} 4',
      'nodejs_eventloop_lag_seconds 0.5',
    ].join('\n');
    expect(parseLag(text)).toBe(7);
  });

  it('does not take silence for zero', () => {
    expect(parseLag('nodejs_eventloop_lag_seconds 0.5\n')).toBeUndefined();
  });
});
