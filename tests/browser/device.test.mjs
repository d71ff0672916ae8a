import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { api, changes, eventually, launch, open, shot } from './stage.mjs';

let browser;
/** A device of the demo plant, whose server the new device shall read too. */
let plc;
before(async () => {
  browser = await launch();
  const devices = await eventually(
    async () =>
      (await api('/devices?limit=500')).items.filter(
        (device) => device.protocol === 'modbus' && device.status?.state === 'online',
      ),
    (online) => online.length > 0,
    'an online device',
  );
  plc = await api(`/devices/${encodeURIComponent(devices[0].id)}`);
});
after(() => browser.close());

const NAME = `Test bench ${process.pid}`;

/** Two points of the demo's device, as rows of a spreadsheet. */
function rows() {
  const points = plc.points.filter(
    ({ source }) =>
      source.address.unit === null ||
      source.address.unit === undefined ||
      source.address.unit === plc.settings.unit,
  );
  const lines = points.slice(0, 2).map(({ name, unit, source: { address, scaling } }) => {
    const { factor = 1, offset = 0 } = scaling.at(-1) ?? {};
    return [`${NAME} ${name}`, address.table, address.address, address.type, unit ?? '', factor, offset].join(
      '\t',
    );
  });
  return [['Name', 'Table', 'Address', 'Type', 'Unit', 'Factor', 'Offset'].join('\t'), ...lines].join('\n');
}

test('a Modbus device is filled in, tested, previewed, saved and read', async () => {
  // The first test is of a port where nothing listens.
  const { page, close } = await open(browser, { expected: [502, 504] });
  await page.goto('/devices');
  await page.getByRole('link', { name: 'New device' }).click();
  await page.getByLabel('Name (English)').first().fill(NAME);
  await page.getByLabel('Host').fill(plc.settings.host);
  await page.getByLabel('Port').fill('1');
  await page.getByLabel('Unit id', { exact: true }).fill(String(plc.settings.unit ?? 1));
  await page
    .getByLabel('Word order')
    .first()
    .selectOption(plc.settings.word_order ?? 'ABCD');

  // What is missing is said before the node is asked.
  await page.getByRole('button', { name: 'Test', exact: true }).click();
  await page.getByText('To be corrected').waitFor();

  await page.getByRole('button', { name: 'Paste from spreadsheet' }).click();
  await page.getByLabel('Cells').fill(rows());
  await page.getByRole('button', { name: 'Add points (2)' }).click();
  assert.equal(await page.locator('.point').count(), 2);

  await page.getByRole('button', { name: 'Test', exact: true }).click();
  await page.getByRole('alert').getByText('The device did not do it').waitFor();

  await page.getByLabel('Port').fill(String(plc.settings.port));
  await page.getByRole('button', { name: 'Test', exact: true }).click();
  await page.locator('.test-report').waitFor();
  const values = page.locator('.point-value output');
  assert.equal(await values.count(), 2);

  // The preview reads again and again, and nothing is stored yet.
  await page.getByRole('button', { name: 'Live preview' }).click();
  await changes(page.locator('.test-report'));
  await shot(page, 'device-form');
  assert.ok(!(await api('/devices?limit=500')).items.some((device) => device.name === NAME));

  // What was typed is still there after a look at another page.
  await page.getByRole('link', { name: 'Audit' }).first().click();
  await page.getByRole('heading', { name: 'Audit', level: 1 }).waitFor();
  await page.goBack();
  await page.getByText('What you typed earlier is back.').waitFor();
  assert.equal(await page.locator('.point').count(), 2);

  await page.getByRole('button', { name: 'Create device' }).click();
  await page.getByRole('heading', { name: NAME, level: 1 }).waitFor();
  await page.getByText('Online').waitFor();
  await page.locator('.mark.tone-good', { hasText: 'Good' }).first().waitFor();
  const created = (await api('/devices?limit=500')).items.find((device) => device.name === NAME);
  const tags = (await api(`/tags?device=${encodeURIComponent(created.id)}`)).items;
  assert.equal(tags.length, 2);
  await eventually(
    async () => (await api(`/tags/${encodeURIComponent(tags[0].id)}`)).last,
    Boolean,
    'a sample',
  );
  await close();
});

test('the audit shows the change, with its checkpoint', async () => {
  const { page, close } = await open(browser);
  const device = (await api('/devices?limit=500')).items.find((one) => one.name === NAME);
  await page.goto('/audit');
  await page.locator('.checkpoint .root-hash').waitFor();
  await page.getByRole('searchbox', { name: /Find by who/ }).fill(device.id);
  const entry = page.locator('.audit-table tbody tr').filter({ hasText: 'device.create' }).first();
  await entry.waitFor();
  await entry.getByRole('button').click();
  await page.locator('.audit-detail').getByText('Leaf hash').waitFor();
  await page.locator('.audit-detail').getByRole('link', { name: device.id, exact: true }).first().waitFor();
  await shot(page, 'audit');
  await close();
});

test('a device is edited, restarted and deleted, after being asked', async () => {
  const { page, close } = await open(browser);
  const device = (await api('/devices?limit=500')).items.find((one) => one.name === NAME);
  await page.goto(`/device?id=${encodeURIComponent(device.id)}`);
  await page.getByRole('link', { name: 'Edit' }).click();
  await page.getByLabel('Poll every (ms)').first().fill('500');
  await page.getByRole('button', { name: 'Duplicate with the next address' }).first().click();
  assert.equal(await page.locator('.point').count(), 3);
  await page.locator('.point').nth(2).getByRole('button', { name: 'Delete point' }).click();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('500', { exact: true }).waitFor();

  await page.getByRole('button', { name: 'Restart' }).click();
  await page.getByText(`${NAME} is restarting`).waitFor();

  await page.getByRole('button', { name: 'Delete' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText(`Delete ${NAME}?`).waitFor();
  await dialog.getByLabel('Delete its tags too').check();
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await page.waitForURL(/\/devices$/);
  assert.ok(!(await api('/devices?limit=500')).items.some((one) => one.id === device.id));
  // The point that the edit took out keeps its history; the others went with the device.
  assert.equal((await api(`/tags?q=${encodeURIComponent(NAME)}`)).items.length, 1);
  await close();
});
