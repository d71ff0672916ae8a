import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { eventually, launch, liveTags, open, shot } from './stage.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

async function openTrend(page, tags, window) {
  const query = tags.map((tag) => `tag=${encodeURIComponent(tag.id)}`).join('&');
  await page.goto(`/trend?${query}&${window}`);
  await drawn(page);
}

/** The chart's area, once its lines have values and it has come to rest. */
async function drawn(page) {
  await eventually(
    () => page.locator('.legend .value-number').allInnerTexts(),
    (values) => values.length > 0 && values.every((value) => /\d/.test(value)),
    'values in the legend',
  );
  return eventually(
    () =>
      page
        .locator('.u-over')
        .boundingBox()
        .catch(() => null),
    Boolean,
    'the chart',
  );
}

/** How many pixels of the canvas are not transparent. */
function inked(page) {
  return page.locator('.chart canvas').evaluate((canvas) => {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let at = 3; at < data.length; at += 4) if (data[at] > 0) count++;
    return count;
  });
}

test('several tags, added by name, live', async () => {
  const { page, close } = await open(browser);
  const tags = await liveTags(2);
  await page.goto('/trend');
  await page.getByText('No tags in this trend').waitFor();
  for (const tag of tags.slice(0, 2)) {
    const picker = page.getByRole('combobox', { name: 'Add a tag' });
    await picker.fill(tag.id);
    await page.getByRole('option', { name: tag.name }).first().waitFor();
    await picker.press('Enter');
    await page.locator('.legend').getByRole('link', { name: tag.name, exact: true }).waitFor();
  }
  assert.deepEqual(
    new URL(page.url()).searchParams.getAll('tag'),
    tags.slice(0, 2).map((tag) => tag.id),
  );
  await page.getByRole('button', { name: '5 min' }).click();
  await drawn(page);
  assert.ok((await inked(page)) > 1_000);
  // Live means that the window moves.
  const note = page.locator('.page-note');
  const before = await note.innerText();
  await eventually(
    () => note.innerText(),
    (now) => now !== before,
    'a moving window',
  );
  await shot(page, 'trend');
  await close();
});

test('the address holds the view: a reload, and a colleague, see the same', async () => {
  const { page, close } = await open(browser);
  const tags = (await liveTags(2)).slice(0, 2);
  await openTrend(page, tags, 'range=5m');
  const area = await drawn(page);
  // The lines are in the right part of the window as long as the demo is young.
  await page.mouse.move(area.x + area.width * 0.6, area.y + 60);
  await page.mouse.down();
  await page.mouse.move(area.x + area.width * 0.95, area.y + 70, { steps: 5 });
  await page.mouse.up();
  await page.waitForURL(/from=.*&to=/);
  await page.locator('.legend .swatch').first().click();
  await page.waitForURL(/hide=/);
  const address = page.url();
  const note = await page.locator('.page-note').innerText();

  await page.reload();
  await page.locator('.legend-hidden').waitFor();
  assert.equal(page.url(), address);
  assert.equal(await page.locator('.page-note').innerText(), note);
  assert.equal(await page.locator('.legend tbody tr').count(), 2);

  const other = await open(browser);
  await other.page.goto(address);
  await other.page.locator('.legend-hidden').waitFor();
  assert.equal(await other.page.locator('.page-note').innerText(), note);
  await other.close();

  // Back leads to where one came from.
  await page.goBack();
  await page.waitForURL(/range=5m/);
  await close();
});

test('mouse and keys zoom, pan and move the crosshair', async () => {
  const { page, close } = await open(browser);
  const tags = (await liveTags(2)).slice(0, 2);
  const now = Math.floor(Date.now() / 1000);
  const iso = (seconds) => new Date(seconds * 1000).toISOString();
  await openTrend(page, tags, `from=${iso(now - 60)}&to=${iso(now + 4)}`);
  const span = () => {
    const { searchParams } = new URL(page.url());
    return (Date.parse(searchParams.get('to')) - Date.parse(searchParams.get('from'))) / 1000;
  };
  const start = () => Date.parse(new URL(page.url()).searchParams.get('from')) / 1000;
  const area = await drawn(page);
  const middle = { x: area.x + area.width / 2, y: area.y + area.height / 2 };
  const moved = (before) => page.waitForURL((address) => String(address) !== before);

  // The crosshair's time and values stand in the legend.
  const head = page.locator('.legend thead th').nth(1);
  await page.mouse.move(area.x + area.width - 80, middle.y);
  await eventually(
    () => head.innerText(),
    (text) => /^\d{4}-\d\d-\d\d /.test(text),
    'the crosshair',
  );

  let before = page.url();
  await page.mouse.wheel(0, -400);
  await moved(before);
  assert.ok(span() < 60, `the wheel zoomed in: ${span()}`);

  before = page.url();
  const zoomed = span();
  await page.mouse.dblclick(middle.x, middle.y);
  await moved(before);
  assert.ok(span() > zoomed, 'a double click zoomed out');

  before = page.url();
  const from = start();
  await page.keyboard.down('Shift');
  await page.mouse.move(middle.x, middle.y);
  await page.mouse.down();
  await page.mouse.move(middle.x + 200, middle.y, { steps: 5 });
  await page.mouse.up();
  await page.keyboard.up('Shift');
  await moved(before);
  assert.ok(start() < from, 'dragging to the right went back in time');

  before = page.url();
  await page.locator('.chart').focus();
  await page.keyboard.press('Shift+ArrowRight');
  await moved(before);
  before = page.url();
  await page.keyboard.press('+');
  await moved(before);

  before = page.url();
  await page.getByRole('button', { name: 'Go live' }).click();
  await moved(before);
  assert.ok(new URL(page.url()).searchParams.has('range'));
  await close();
});

test('what is shown is exported', async () => {
  const { page, close } = await open(browser);
  const tags = (await liveTags(2)).slice(0, 2);
  await openTrend(page, tags, 'range=5m');
  let download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export CSV' }).click();
  const joined = await readFile(await (await download).path(), 'utf8');
  const [header, ...rows] = joined.trim().split('\r\n');
  assert.equal(header.split(',').length, 3);
  assert.ok(rows.length > 0 && /^\d{4}-\d\d-\d\dT/.test(rows[0]), rows[0]);

  download = page.waitForEvent('download');
  await page.getByRole('button', { name: `All samples of ${tags[0].name} as CSV` }).click();
  const raw = await readFile(await (await download).path(), 'utf8');
  assert.match(raw, /^\uFEFFtag,time,value,quality\n/);
  assert.ok(raw.includes(tags[0].id));
  await close();
});
