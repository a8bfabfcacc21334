import { expect, test } from 'vitest';
import { addressFault } from '../../../services/webhooks/addresses.ts';
import { checkUrl } from '../../../services/webhooks/webhook-url.ts';

const PRODUCTION = { isLocal: false, allowPrivate: false };
const LOCAL = { isLocal: true, allowPrivate: false };

test.each([
  'http://example.com/',
  'ftp://example.com/',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'example.com',
  '//example.com/',
  '',
  'https://',
  'https://user@example.com/',
  'https://user:secret@example.com/',
  'https://example.com/#part',
  'https://exa mple.com/',
  'https://example.com/\n',
  'https://example.com\\@127.0.0.1/',
  `https://example.com/${'x'.repeat(2048)}`,
  'https://localhost/',
  'https://localhost./',
  'https://a.localhost/',
  'https://127.0.0.1/',
  'https://127.1/',
  'https://2130706433/',
  'https://0x7f000001/',
  'https://0177.0.0.1/',
  'https://0/',
  'https://0.0.0.0/',
  'https://10.1.2.3/',
  'https://172.16.0.1/',
  'https://192.168.1.1/',
  'https://169.254.169.254/latest/meta-data/',
  'https://100.100.100.200/',
  'https://168.63.129.16/',
  'https://[::1]/',
  'https://[::]/',
  'https://[::ffff:127.0.0.1]/',
  'https://[::ffff:7f00:1]/',
  'https://[::7f00:1]/',
  'https://[64:ff9b::7f00:1]/',
  'https://[2002:7f00:1::]/',
  'https://[fd00:ec2::254]/',
  'https://[fe80::1]/',
])('%j is no URL of a webhook', (url) => {
  expect(checkUrl(url, PRODUCTION)).toEqual({ fault: expect.stringMatching(/^must /) });
});

test.each([
  'https://example.com/hook?a=1',
  'https://8.8.8.8:8443/',
  'https://[2606:4700::1111]/',
  'https://bücher.example/',
])('%s is one', (url) => {
  expect(checkUrl(url, PRODUCTION)).toEqual({ url: new URL(url).href, isLoopback: false });
});

test('http, and this machine, are for those who call a service without tokens; private addresses for an operator who allows them', () => {
  for (const url of ['http://localhost:1/', 'http://127.0.0.1:1/', 'http://[::1]:1/', 'https://localhost:1/'])
    expect(checkUrl(url, LOCAL)).toEqual({ url, isLoopback: true });
  for (const url of ['http://10.0.0.1/', 'http://example.com/', 'https://10.0.0.1/', 'http://0.0.0.0/'])
    expect(checkUrl(url, LOCAL).fault).toMatch(/^must be /);
  expect(checkUrl('https://10.0.0.1/', { isLocal: false, allowPrivate: true })).toMatchObject({ isLoopback: false });
  expect(checkUrl('http://10.0.0.1/', { isLocal: false, allowPrivate: true }).fault).toBe('must be an https URL');
});

test('a webhook of this machine reaches this machine and the internet, and nothing between', () => {
  for (const address of ['127.0.0.1', '::1', '::ffff:127.0.0.2', '8.8.8.8'])
    expect(addressFault(address, 'loopback')).toBeNull();
  for (const address of ['10.0.0.1', '169.254.169.254', '0.0.0.0', 'fe80::1%eth0', 'nothing'])
    expect(addressFault(address, 'loopback')).toContain(address.split('%')[0]);
});
