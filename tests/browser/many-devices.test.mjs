import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { api, eventually, launch, open, send, shot } from './stage.mjs';

/** Devices that are switched off: enough to scroll through, and made within seconds. */
const COUNT = 1500;
const NAME = `Meter ${process.pid}`;
/** Most rows in the document at a time, whatever the number of devices. */
const ROWS_MAX = 60;

let browser;
before(async () => {
  browser = await launch();
  const lines = ['device_name,protocol,settings,enabled'];
  for (let n = 0; n < COUNT; n += 1)
    lines.push(`${NAME} ${String(n).padStart(4, '0')},modbus,"{""host"":""127.0.0.1"",""port"":9}",false`);
  const report = await send('POST', '/devices/import', lines.join('\n'), 'text/csv');
  assert.deepEqual([report.devices_created, report.errors], [COUNT, []]);
  await eventually(
    async () => (await api('/overview')).devices.by_state.disabled ?? 0,
    (count) => count >= COUNT,
    'all devices',
  );
});
after(async () => {
  await browser.close();
  for (;;) {
    const { items } = await api(`/devices?limit=1000&q=${encodeURIComponent(NAME)}`);
    if (items.length === 0) return;
    for (const { id } of items) await send('DELETE', `/devices/${encodeURIComponent(id)}?tags=delete`);
  }
});

test('a long list of devices is counted, filtered, sorted and scrolled', async () => {
  const { page, close } = await open(browser);
  await page.goto('/devices');
  const table = page.locator('.device-table');
  const rows = table.locator('tbody tr:not(.spacer)');
  await rows.first().waitFor();
  const total = Number(await table.getAttribute('aria-rowcount')) - 1;
  assert.ok(total > COUNT);

  // A count is a filter, and the other counts stay.
  const counts = page.getByRole('group', { name: 'Devices by state' });
  const disabled = counts.getByRole('button', { name: /^Disabled/ });
  await disabled.click();
  await page.waitForURL(/state=disabled/);
  await eventually(
    async () => Number(await table.getAttribute('aria-rowcount')) - 1,
    (count) => count >= COUNT && count < total,
    'only those switched off',
  );
  await counts.getByRole('button', { name: /^Online/ }).waitFor();
  await shot(page, 'many-devices');
  await disabled.click();
  await eventually(
    async () => Number(await table.getAttribute('aria-rowcount')) - 1,
    (count) => count === total,
    'all again',
  );
  const protocols = page.getByRole('group', { name: 'Devices by protocol' });
  assert.match(await protocols.getByRole('button', { name: /^Modbus TCP/ }).innerText(), /1,5\d\d/);

  // Sorted the other way round, the last one is in front.
  await page.getByRole('searchbox', { name: 'Find devices' }).fill(NAME);
  await eventually(
    async () => Number(await table.getAttribute('aria-rowcount')) - 1,
    (count) => count === COUNT,
    'those of the name',
  );
  await page.getByRole('button', { name: 'Device', exact: true }).click();
  await rows.first().getByText(`${NAME} ${COUNT - 1}`).waitFor();

  // However far one scrolls, rows are there and few of them.
  for (const part of [0.25, 0.5, 1]) {
    await page.evaluate((at) => window.scrollTo(0, document.documentElement.scrollHeight * at), part);
    await eventually(
      () =>
        page.evaluate(() => {
          const found = document.elementFromPoint(600, window.innerHeight / 2)?.closest('tr');
          return found !== null && found !== undefined && !found.classList.contains('spacer');
        }),
      Boolean,
      'rows in sight',
    );
    assert.ok((await rows.count()) <= ROWS_MAX);
  }
  await rows.last().getByText(`${NAME} 0000`).waitFor();
  await close();
});
