import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { api, eventually, launch, open, overflow, send, shot } from './stage.mjs';

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

const { server } = await api('/opcua/clients');

/** A certificate of nobody's: its key was thrown away. CN=Line 3 SCADA, for urn:example:scada. */
const CERTIFICATE = Buffer.from(
  [
    'MIIDUDCCAjigAwIBAgIBATANBgkqhkiG9w0BAQsFADApMRUwEwYDVQQDDAxMaW5lIDMgU0NBREExEDAOBgNVBAoMB0ludGVyb3AwIBcNMjYxMT',
    'I2MTg0NjI1WhgPMjEyNjExMDIxODQ2MjVaMCkxFTATBgNVBAMMDExpbmUgMyBTQ0FEQTEQMA4GA1UECgwHSW50ZXJvcDCCASIwDQYJKoZIhvcN',
    'AQEBBQADggEPADCCAQoCggEBAMVJvqM+QYin/F9bO4cw3IZ06HlmAxMo/2/ZAEzhauwx9XXtxTjqi6/XwjHL705t+nPjzKI3HwfaaINAGPr2yF',
    'bHy0lWKZZbs1LEtZ/V1YhbA4QV5YfFyu+kVg+4/h7bjkVLY3mAnc17RhIjq/Qb+UfrOSR2de+LOUVEOyL3KjSH4Fl00S2X1NxBI8wixitY9aAI',
    '+k/U1t8H4xKpAnt+mAk3Agjiw7Rx/o+0KDGzoUSXynUDuVVO0d2UL/3dniB1vzPCXacvgKgzKB8m9JR4q3qL0EsLYMQDB3PPQcS63GRSswcoYe',
    'GaDvY0ZF8jhAz2oSp2erxj6Abmp/p6yurUR+UCAwEAAaOBgDB+MB0GA1UdDgQWBBTLxx0QjCGYDDqU5oAU2cyXpjQN3DAfBgNVHSMEGDAWgBTL',
    'xx0QjCGYDDqU5oAU2cyXpjQN3DAPBgNVHRMBAf8EBTADAQH/MCsGA1UdEQQkMCKGEXVybjpleGFtcGxlOnNjYWRhgg1zY2FkYS5leGFtcGxlMA',
    '0GCSqGSIb3DQEBCwUAA4IBAQCQdT/caC1ByRFe4IOSC7nFCjSj0rEBuB+tQiKPTGEVm/uRIsGkFzvB/O9hu1Fr+/sK/bGh31QLRj5XW8w5jvwU',
    'byIzORQA0+iplc9WmGDu6e0e/NRt2AU/U3av4YvOsiCqg6OWr5l8gfaCr7l9w/uVcqQKdY/u06+vYo6wGPXk1ihK/toqIR5RybIdhih+djwJT9',
    'hhSzQqvtN+p4tatk82KkgBgp96y9JmTXVhR/VjXWIw70FgX8S8Yv1FpOtAqCWqfqNZzf5VYx3x8VyJM5l0L6LiAyRpDLDofxeZ5cVpMjZV8DVO',
    'm85cNweU/9CUh1BWIpRNVDT3Fo7lmp8EvTvh',
  ].join(''),
  'base64',
);
const THUMBPRINT = createHash('sha256').update(CERTIFICATE).digest('hex');
const POLICY = 'http://opcfoundation.org/UA/SecurityPolicy#Basic256Sha256';

function number(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** A frame (OPC 10000-6, clause 7.1.2). */
function frame(kind, ...parts) {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(kind), number(8 + body.length), body]);
}

/** Bytes with their length before them. */
function sized(value) {
  const bytes = Buffer.from(value);
  return Buffer.concat([number(bytes.length), bytes]);
}

/** Shows the certificate, as a client does that connects for the first time, and is refused. */
async function knock() {
  const socket = connect(Number(server.address.split(':').at(-1)), '127.0.0.1');
  socket.on('error', () => {});
  const limits = [0, 65_536, 65_536, 0, 0].map(number);
  socket.write(frame('HELF', ...limits, sized('opc.tcp://localhost')));
  const [hello] = await once(socket, 'data');
  assert.equal(hello.subarray(0, 3).toString(), 'ACK');
  // What would be encrypted for the server's key is looked at for trusted clients only.
  const header = [number(0), sized(POLICY), sized(CERTIFICATE), sized(Buffer.alloc(20)), Buffer.alloc(256)];
  socket.write(frame('OPNF', ...header));
  const [refusal] = await once(socket, 'data');
  assert.equal(refusal.subarray(0, 3).toString(), 'ERR');
  socket.destroy();
}

test('a client that was refused is reviewed, trusted, sent away and forgotten', { skip: !server }, async () => {
  await knock();
  const { page, close } = await open(browser);
  await page.goto('/');
  await page.getByRole('link', { name: 'OPC UA server' }).first().click();
  await page.getByText(server.url).waitFor();
  const refused = page.getByRole('group', { name: 'Refused' }).locator('tbody tr');
  await refused.getByText('Line 3 SCADA', { exact: true }).waitFor();
  await refused.getByText('urn:example:scada').waitFor();
  await shot(page, 'opcua');
  await refused.getByRole('button', { name: 'Review' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText(THUMBPRINT.match(/.{4}/g).join(' ')).waitFor();
  await shot(page, 'opcua-review');
  await dialog.getByRole('button', { name: 'Trust' }).click();
  const trusted = page.getByRole('group', { name: 'Trusted clients' }).locator('tbody tr');
  await trusted.getByText('Line 3 SCADA', { exact: true }).waitFor();
  await refused.waitFor({ state: 'detached' });
  await trusted.getByRole('button', { name: 'Trust no longer' }).click();
  await dialog.getByText('sessions and connections end now').waitFor();
  await dialog.getByRole('button', { name: 'Trust no longer' }).click();
  await refused.getByText('Line 3 SCADA', { exact: true }).waitFor();
  await refused.getByRole('button', { name: 'Forget Line 3 SCADA' }).click();
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await page.getByText('No client has come yet').waitFor();
  const { items } = await eventually(
    () => api('/audit?q=opcua.client'),
    ({ items }) => items.length >= 3,
    'three entries of the audit',
  );
  assert.ok(JSON.stringify(items).includes(THUMBPRINT), 'the audit knows which one');
  await close();
});

test('nothing is wider than a telephone', { skip: !server }, async () => {
  await knock();
  for (const [locale, said] of [
    ['en-GB', 'Refused, waiting for your review'],
    ['zh-CN', '已拒绝，等待核对'],
  ]) {
    const { page, close } = await open(browser, { locale, viewport: { width: 390, height: 844 } });
    await page.goto('/opcua');
    await page.getByText(said).waitFor();
    assert.equal(await overflow(page), 0);
    await close();
  }
  await send('DELETE', `/opcua/clients/${THUMBPRINT}`);
});

test('where the server is off the page says how it is switched on', async () => {
  for (const [locale, said] of [
    ['en-GB', 'The OPC UA server is off'],
    ['zh-CN', 'OPC UA 服务器未启用'],
  ]) {
    const { page, close } = await open(browser, { locale, viewport: { width: 390, height: 844 } });
    await page.route('**/api/v1/opcua/clients', (route) => route.fulfill({ json: { server: null, items: [] } }));
    await page.goto('/opcua');
    await page.getByText(said).waitFor();
    await page.getByText('weir serve --opcua').waitFor();
    assert.equal(await overflow(page), 0);
    await close();
  }
});
