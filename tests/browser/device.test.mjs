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
    ({ address }) =>
      address.unit === null || address.unit === undefined || address.unit === plc.settings.unit,
  );
  const lines = points.slice(0, 2).map(({ name, unit, address, scaling }) => {
    const { factor = 1, offset = 0 } = scaling.at(-1) ?? {};
    return [`${NAME} ${name}`, address.table, address.address, address.type, unit ?? '', factor, offset].join(
      '\t',
    );
  });
  return [['Name', 'Table', 'Address', 'Type', 'Unit', 'Factor', 'Offset'].join('\t'), ...lines].join('\n');
}

/** An address that answers in the place of the first point's: with the same table and type. */
async function readable(device) {
  const { points } = await api(`/devices/${encodeURIComponent(device.id)}`);
  const { table, type, address } = points[0].address;
  const like = plc.points.map((point) => point.address).filter((one) => one.table === table && one.type === type);
  return (like.find((one) => one.address !== address) ?? like[0]).address;
}

/** Chooses what the new device speaks. */
async function choose(page, protocol) {
  await page.goto('/devices');
  await page.getByRole('link', { name: 'New device' }).click();
  await page.locator('.protocol-card', { hasText: protocol }).click();
}

test('a device is connected, its points pasted, looked at, saved and read', async () => {
  // The first test is of a port where nothing listens.
  const { page, close } = await open(browser, { expected: [502, 504] });
  await choose(page, 'Modbus TCP');

  // What is missing is said before the node is asked.
  await page.keyboard.press('Enter');
  await page.getByText('Required').waitFor();
  await page.getByLabel('Host').fill(plc.settings.host);
  await page.getByLabel('Port').fill('1');
  await page.getByLabel('Unit', { exact: true }).fill(String(plc.settings.unit ?? 1));
  await page.keyboard.press('Enter');
  // In the words of the driver.
  await page.getByRole('alert').getByText('connection refused').waitFor();

  await page.getByRole('button', { name: 'More settings' }).click();
  await page.getByLabel('Word order').selectOption(plc.settings.word_order ?? 'ABCD');
  await page.getByLabel('Port').fill(String(plc.settings.port));
  await page.keyboard.press('Enter');

  await page.getByRole('button', { name: 'Paste from spreadsheet' }).click();
  await page.getByLabel('Cells').fill(rows());
  await page.getByRole('button', { name: 'Add points (2)' }).click();
  await page.locator('.picked li').nth(1).waitFor();
  await page.getByRole('button', { name: 'Go on with 2' }).click();

  // The preview reads again and again, and nothing is stored yet.
  assert.equal(await page.locator('.point').count(), 2);
  const values = page.locator('.point-value output');
  await values.nth(1).waitFor();
  await page.getByLabel('Name (English)').first().fill(NAME);
  await shot(page, 'device-wizard');
  assert.ok(!(await api('/devices?limit=500')).items.some((device) => device.name === NAME));

  // What was typed is still there after a look at another page, and the steps back are open.
  await page.getByRole('link', { name: 'Audit' }).first().click();
  await page.getByRole('heading', { name: 'Audit', level: 1 }).waitFor();
  await page.goBack();
  await page.getByText('What you typed earlier is back').waitFor();
  assert.equal(await page.locator('.point').count(), 2);
  await page.getByRole('link', { name: 'Connection' }).click();
  assert.equal(await page.getByLabel('Port').inputValue(), String(plc.settings.port));
  await page.getByRole('link', { name: 'Check and create' }).click();

  await page.getByRole('button', { name: 'Create device' }).click();
  await page.getByRole('heading', { name: NAME, level: 1 }).waitFor();
  await page.getByText('Online').first().waitFor();
  await page.locator('.mark.tone-good', { hasText: 'Good' }).first().waitFor();
  await page.locator('.device-log li').first().waitFor();
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

test('values are ticked in what a device offers, and an address is typed', async () => {
  const { page, close } = await open(browser);
  await choose(page, 'Modbus TCP');
  await page.getByLabel('Host').fill(plc.settings.host);
  await page.getByLabel('Port').fill(String(plc.settings.port));
  // Which units answer there need not be known.
  await page.getByRole('button', { name: 'Discover' }).click();
  await page.locator('.found-one').first().click({ timeout: 30_000 });
  await page.locator('.test-report').waitFor();
  assert.equal(await page.getByLabel('Unit', { exact: true }).inputValue(), String(plc.settings.unit ?? 1));
  await page.getByRole('button', { name: 'Connect and go on' }).click();

  const tree = page.getByRole('tree');
  await tree.getByRole('treeitem', { name: /input/ }).first().focus();
  await page.keyboard.press('ArrowRight');
  const value = tree.locator('.browse-row:has(.browse-value)').first();
  await value.waitFor();
  await value.getByRole('checkbox').check();
  assert.equal(await page.locator('.picked li').count(), 1);
  await value.getByRole('checkbox').uncheck();
  assert.equal(await page.locator('.picked li').count(), 0);
  await value.getByRole('checkbox').check();

  await page.getByRole('button', { name: 'Type addresses' }).click();
  await page.getByLabel('Name').fill('Typed');
  await page.getByLabel('Table').selectOption('input');
  await page.getByLabel('Address', { exact: true }).fill('70000');
  await page.keyboard.press('Enter');
  await page.getByText('A whole number from 0 to 65535').waitFor();
  await page.getByLabel('Address', { exact: true }).fill('2');
  await page.keyboard.press('Enter');
  await page.locator('.picked li', { hasText: 'Typed' }).waitFor();
  await page.getByRole('button', { name: 'Go on with 2' }).click();
  await page.locator('.point-value output').nth(1).waitFor();

  // Another protocol is another form, made of what the node says of it.
  await page.getByRole('link', { name: 'Protocol' }).click();
  await page.locator('.protocol-card', { hasText: 'OPC UA' }).click();
  await page.getByLabel('Server').waitFor();
  assert.equal(await page.getByLabel('Password').count(), 0);
  await page.getByLabel('Sign-in').selectOption('user');
  assert.equal(await page.getByLabel('Password').getAttribute('type'), 'password');
  await page.getByLabel('Password').fill('not kept');
  await page.reload();
  await page.getByText('What you typed earlier is back').waitFor();
  assert.equal(await page.getByLabel('Password').inputValue(), '', 'a password is not kept by the browser');
  await page.getByRole('button', { name: 'Start anew' }).click();
  await page.locator('.protocol-card').first().waitFor();
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

test('a device and its points are edited, many at a time', async () => {
  const { page, close } = await open(browser);
  const device = (await api('/devices?limit=500')).items.find((one) => one.name === NAME);
  await page.goto(`/device?id=${encodeURIComponent(device.id)}`);
  await page.getByRole('link', { name: 'Edit', exact: true }).click();
  await page.getByLabel('Interval (ms)').fill('500');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('500', { exact: true }).waitFor();

  await page.getByRole('link', { name: 'Edit points' }).click();
  await page.getByRole('button', { name: 'Duplicate' }).first().click();
  const point = page.getByRole('dialog');
  await point.getByLabel('Address', { exact: true }).fill(String(await readable(device)));
  await point.getByRole('button', { name: 'Close' }).last().click();
  assert.equal(await page.locator('.point').count(), 3);
  await page.locator('.point').nth(2).getByRole('button', { name: 'Delete point' }).click();
  await page.getByText('Points taken out: 1').waitFor();

  await page.getByLabel('Points: 2').check();
  await page.getByRole('button', { name: 'Change chosen' }).click();
  const bulk = page.getByRole('dialog');
  await bulk.getByLabel('Poll every (ms)').fill('750');
  await bulk.getByRole('button', { name: 'Change points (2)' }).click();
  await page.getByRole('button', { name: 'Live preview' }).click();
  await page.locator('.point-value output').nth(1).waitFor();
  await shot(page, 'device-points');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('heading', { name: NAME, exact: true, level: 1 }).waitFor();
  const { points } = await api(`/devices/${encodeURIComponent(device.id)}`);
  assert.deepEqual(
    points.map((one) => one.poll_ms),
    [750, 750],
  );
  await close();
});

test('devices are found, restarted and switched off many at a time, exported and imported', async () => {
  const { page, close } = await open(browser);
  const device = (await api('/devices?limit=500')).items.find((one) => one.name === NAME);
  await page.goto('/devices');
  await page.getByRole('searchbox', { name: 'Find devices' }).fill(NAME);
  const rows = page.locator('.device-table tbody tr:not(.spacer)');
  await eventually(
    () => rows.count(),
    (count) => count === 1,
    'one row',
  );
  await rows.getByRole('checkbox').check();
  const bar = page.getByRole('group', { name: 'What to do with the chosen devices' });
  await bar.getByRole('button', { name: 'Restart' }).click();
  await page.getByText('Done for 1 devices').waitFor();
  await bar.getByRole('button', { name: 'Disable' }).click();
  await rows.getByText('Disabled').waitFor();
  await bar.getByRole('button', { name: 'Enable' }).click();
  await rows.getByText('Online').waitFor();

  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export chosen (1)' }).click();
  const file = await (await download).path();
  await page.getByRole('button', { name: 'Import CSV' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.locator('input[type=file]').setInputFiles(file);
  await dialog.getByText('The file is in order.').waitFor();
  await shot(page, 'devices-import');
  await dialog.getByRole('button', { name: 'Import', exact: true }).click();
  await page.getByText('Imported: 1 devices').waitFor();
  const after = await api(`/devices/${encodeURIComponent(device.id)}`);
  assert.equal(after.points.length, 2);
  await close();
});

test('a device is restarted, switched off and on, and deleted, after being asked', async () => {
  const { page, close } = await open(browser);
  const device = (await api('/devices?limit=500')).items.find((one) => one.name === NAME);
  await page.goto(`/device?id=${encodeURIComponent(device.id)}`);
  await page.getByRole('button', { name: 'Restart' }).click();
  await page.getByText(`${NAME} is restarting`).waitFor();
  await page.getByRole('button', { name: 'Disable' }).click();
  await page.getByText('It was switched off by intent').waitFor();
  await page.getByRole('button', { name: 'Enable' }).click();
  await page.locator('.device-state .mark.tone-good').waitFor();

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
