import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { api, eventually, launch, open, overflow, shot, TOKEN } from './stage.mjs';

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

const { broker } = await api('/mqtt/clients');
const CLIENT = `line-3/gateway ${process.pid}`;

/** A text as MQTT writes it (MQTT 3.1.1, 1.5.3). */
function text(value) {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
}

/** A CONNECT of MQTT 3.1.1 with user name and password (3.1). */
function connectPacket(id) {
  const body = Buffer.concat([text('MQTT'), Buffer.from([4, 0xc2, 0, 60]), text(id), text('anyone'), text(TOKEN)]);
  const length = body.length < 128 ? [body.length] : [(body.length & 127) | 128, body.length >> 7];
  return Buffer.concat([Buffer.from([0x10, ...length]), body]);
}

test('a client of the broker is seen, and disconnected after being asked', { skip: !broker }, async () => {
  const socket = connect(Number(broker.address.split(':').at(-1)), '127.0.0.1');
  socket.on('error', () => {});
  socket.write(connectPacket(CLIENT));
  const [answer] = await once(socket, 'data');
  assert.deepEqual([...answer.subarray(0, 4)], [0x20, 2, 0, 0], 'the broker lets it in');
  // A PUBLISH of QoS 0 (3.3) and a PINGREQ.
  socket.write(Buffer.concat([Buffer.from([0x30, 6]), text('a/b'), Buffer.from('1'), Buffer.from([0xc0, 0])]));

  const { page, close } = await open(browser);
  await page.goto('/');
  await page.getByRole('link', { name: 'MQTT broker' }).first().click();
  await page.getByRole('searchbox', { name: 'Find by client' }).fill(CLIENT);
  const row = page.locator('.broker-table tbody tr');
  await eventually(
    () => row.count(),
    (count) => count === 1,
    'one client',
  );
  await row.getByText('Connected').waitFor();
  await row.getByText('MQTT 3.1.1').waitFor();
  await row.locator('[data-label="Messages in"]', { hasText: '1' }).waitFor();
  await shot(page, 'broker');
  const gone = once(socket, 'close');
  await row.getByRole('button', { name: `Disconnect ${CLIENT}` }).click();
  await page.getByRole('dialog').getByText('may connect again').waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Disconnect' }).click();
  await gone;
  await page.getByText('No client matches').waitFor();
  const { items } = await api('/audit?q=mqtt.disconnect');
  assert.ok(JSON.stringify(items).includes(CLIENT), 'the audit knows of it');
  await close();
});

test('where the broker is off the page says how it is switched on', async () => {
  for (const [locale, said] of [
    ['en-GB', 'The MQTT broker is off'],
    ['zh-CN', 'MQTT 代理未启用'],
  ]) {
    const { page, close } = await open(browser, { locale, viewport: { width: 390, height: 844 } });
    await page.route('**/api/v1/mqtt/clients*', (route) =>
      route.fulfill({ json: { broker: null, items: [], next: null } }),
    );
    await page.goto('/broker');
    await page.getByText(said).waitFor();
    await page.getByText('weir serve --mqtt').waitFor();
    assert.equal(await overflow(page), 0);
    await close();
  }
});
