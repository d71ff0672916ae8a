import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { api, eventually, launch, open, send, shot } from './stage.mjs';

let browser;
/** A device of the demo plant, of which a template is made. */
let plc;
const NAME = `Controller type ${process.pid}`;
const DEVICE = `Line 7 ${process.pid}`;

before(async () => {
  browser = await launch();
  const devices = await eventually(
    async () =>
      (await api('/devices?protocol=modbus&state=online&limit=500')).items.filter(
        (device) => device.status.points > 1,
      ),
    (online) => online.length > 0,
    'an online device',
  );
  plc = await api(`/devices/${encodeURIComponent(devices[0].id)}`);
});
after(() => browser.close());

test('a device is kept as a template, without what is its own', async () => {
  const { page, close } = await open(browser);
  await page.goto(`/device?id=${encodeURIComponent(plc.id)}`);
  await page.getByRole('button', { name: 'Save as template' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Template').fill('');
  await dialog.getByRole('button', { name: 'Save template' }).click();
  await dialog.getByText('Required').waitFor();
  await dialog.getByLabel('Template').fill(NAME);
  await dialog.getByLabel('Description').fill('All there is');
  await page.keyboard.press('Tab');
  await dialog.getByRole('button', { name: 'Save template' }).click();
  await page.getByText(`The template ${NAME} was saved`).waitFor();
  const template = await api(`/templates/${encodeURIComponent(NAME)}`);
  assert.equal(template.settings.host, undefined);
  assert.equal(template.settings.unit, plc.settings.unit);
  assert.equal(template.points.length, plc.points.length);

  // Another one of that name takes its place only when it is asked for once more.
  await page.getByRole('button', { name: 'Save as template' }).click();
  await dialog.getByLabel('Template').fill(NAME.toUpperCase());
  await dialog.getByRole('button', { name: 'Save template' }).click();
  await dialog.getByText('There is a template').waitFor();
  assert.equal((await api(`/templates/${encodeURIComponent(NAME)}`)).version, template.version);
  await dialog.getByLabel('Template').fill(NAME);
  await dialog.getByRole('button', { name: 'Save template' }).click();
  await dialog.getByRole('button', { name: 'Replace template' }).click();
  await page.getByText(`The template ${NAME} was saved`).last().waitFor();
  await eventually(
    async () => (await api(`/templates/${encodeURIComponent(NAME)}`)).version,
    (version) => version === template.version + 1,
    'the next version',
  );
  await close();
});

test('a device is made of a template', async () => {
  const { page, close } = await open(browser);
  await page.goto('/devices');
  await page.getByRole('link', { name: 'New device' }).click();
  await page.locator('.template-card', { hasText: NAME }).click();
  await page.getByText(`Template: ${NAME}`).waitFor();
  assert.equal(await page.getByLabel('Host').inputValue(), '', 'the address is the device’s own');
  assert.equal(await page.getByLabel('Unit', { exact: true }).inputValue(), String(plc.settings.unit));
  await page.getByLabel('Host').fill(plc.settings.host);
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: `Go on with ${plc.points.length}` }).click();
  await page.locator('.point-value output').first().waitFor();
  await page.getByLabel('Name (English)').first().fill(DEVICE);
  await page.getByText(`where they come from: ${DEVICE} `).waitFor();
  await shot(page, 'device-of-template');
  await page.getByRole('button', { name: 'Create device' }).click();
  await page.getByRole('heading', { name: DEVICE, level: 1 }).waitFor();
  const made = (await api(`/devices?q=${encodeURIComponent(DEVICE)}`)).items[0];
  const { points } = await api(`/devices/${encodeURIComponent(made.id)}`);
  assert.equal(points.length, plc.points.length);
  assert.ok(points.every((point) => point.name.startsWith(`${DEVICE} `)), points[0].name);
  await send('DELETE', `/devices/${encodeURIComponent(made.id)}?tags=delete`);
  await close();
});

test('templates are found by their link, carried as files and deleted after being asked', async () => {
  const { page, close } = await open(browser);
  await page.goto('/devices');
  await page.getByRole('link', { name: 'Templates' }).click();
  await page.getByRole('searchbox', { name: 'Find templates' }).fill('no such type');
  await page.getByText('No template matches').waitFor();
  await page.goto(`/templates?q=${encodeURIComponent(NAME)}`);
  const row = page.locator('tbody tr', { hasText: NAME });
  const download = page.waitForEvent('download');
  await row.getByRole('button', { name: `Export ${NAME} as JSON` }).click();
  const saved = await download;
  assert.match(saved.suggestedFilename(), /^weir-Controller-type-\d+-.*\.json$/);
  const file = await saved.path();
  const content = JSON.parse(readFileSync(file, 'utf8'));
  assert.equal(content.name, NAME);

  const choose = (buffer) =>
    page.locator('input[type=file]').setInputFiles({ name: 'type.json', mimeType: 'application/json', buffer });
  await choose(Buffer.from('{"some": "thing"}'));
  await page.getByText('type.json is no template').waitFor();
  await choose(readFileSync(file));
  await page.getByRole('dialog').getByText('Replace the template').waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();

  await row.getByRole('button', { name: `Delete template ${NAME}` }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await page.getByText('No template matches').waitFor();
  await choose(readFileSync(file));
  await row.waitFor();
  const again = await api(`/templates/${encodeURIComponent(NAME)}`);
  assert.deepEqual(again.points, content.points);

  // A link to the wizard begins with the template.
  await row.getByRole('link', { name: `New device of ${NAME}` }).click();
  await page.getByText(`Template: ${NAME}`).waitFor();
  await send('DELETE', `/templates/${encodeURIComponent(NAME)}`);
  await close();
});
