import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { api, eventually, launch, open, overflow, send, shot } from './stage.mjs';

/** A vibration snapshot has so many elements. */
const LENGTH = 65_536;
const HOUR_MS = 3_600_000;

let browser;
let prefix;
const now = Date.now();
const iso = (agoMs) => new Date(now - agoMs).toISOString();

before(async () => {
  browser = await launch();
  prefix = (await api('/session')).tenant.prefix;
  const temperature = `${prefix}/history.oil`;
  const vibration = `${prefix}/history.vibration`;
  await send('POST', '/tags', {
    ...{ id: temperature, name: 'Oil of the test', data_type: 'f64', unit: 'Cel', grade: 'general' },
  });
  await send('POST', '/tags', {
    ...{ id: vibration, name: 'Vibration of the test', data_type: 'array', unit: 'm/s2', grade: 'general' },
  });
  // 20 degrees, then a stretch without communication, then 40.
  const samples = [];
  for (let minute = 50; minute > 0; minute--) {
    const bad = minute > 20 && minute <= 30;
    samples.push({
      tag: temperature,
      time: iso(minute * 60_000),
      value: bad ? null : minute > 30 ? 20 : 40,
      quality: bad ? 'bad:0x80310000' : 'good',
    });
  }
  await send('POST', '/samples', { samples });
  for (const [index, peak] of [11, 22, 33].entries()) {
    const value = Array.from({ length: LENGTH }, (_, at) => Math.sin(at / 40));
    value[12_345] = peak;
    const sample = { tag: vibration, time: iso((3 - index) * 60_000), value };
    await send('POST', '/samples', { samples: [sample] });
  }
});
after(async () => {
  await send('DELETE', `/tags/${encodeURIComponent(`${prefix}/history.oil`)}`);
  await send('DELETE', `/tags/${encodeURIComponent(`${prefix}/history.vibration`)}`);
  await browser.close();
});

/** How many pixels of the chart are reddish and pale: shaded. */
function shadedPixels(page) {
  return page.locator('.chart canvas').evaluate((canvas) => {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    let count = 0;
    for (let at = 0; at < data.length; at += 4)
      if (data[at] > 150 && data[at + 1] < 80 && data[at + 3] > 10 && data[at + 3] < 60) count++;
    return count;
  });
}

test('aggregates stand beside the line and in a table, in the unit that is wanted', async () => {
  const { page, close } = await open(browser);
  const id = `${prefix}/history.oil`;
  const view = { id, from: iso(HOUR_MS), to: iso(0), width: '1h', fn: 'min,max,samples,bad_time' };
  await page.goto(`/tag?${new URLSearchParams(view)}`);
  const card = page.getByRole('region', { name: 'History' });
  await card.getByRole('columnheader', { name: /Highest/ }).waitFor();
  const cells = async (name) => {
    const heads = await card.locator('thead th').allInnerTexts();
    const column = heads.findIndex((head) => head.startsWith(name));
    if (column < 0) return [];
    const texts = await card.locator(`tbody tr > :nth-child(${column + 1})`).allInnerTexts();
    return texts.map(Number).filter((value) => !Number.isNaN(value));
  };
  await eventually(
    async () => (await cells('Samples')).reduce((sum, count) => sum + count, 0),
    (sum) => sum === 50,
    'all samples in the table',
  );
  assert.equal(Math.max(...(await cells('Highest'))), 40);
  assert.equal(Math.min(...(await cells('Lowest'))), 20);
  await eventually(
    () => shadedPixels(page),
    (count) => count > 1_000,
    'the shaded span',
  );
  await card.getByText('Shaded: bad quality').waitFor();
  await shot(page, 'history');

  // Others come and go with a click, and the address keeps them.
  await card.getByLabel('Time-weighted mean').check();
  await card.getByRole('columnheader', { name: /Time-weighted mean/ }).waitFor();
  assert.ok(new URL(page.url()).searchParams.get('fn').includes('time_avg'));
  const download = page.waitForEvent('download');
  await card.getByRole('button', { name: 'Export CSV' }).click();
  const csv = await readFile(await (await download).path(), 'utf8');
  assert.match(csv, /^\uFEFFtag,time,time_avg,min,max,samples,bad_time\n/);

  const unit = card.getByLabel('Read in unit');
  await unit.fill('K');
  await eventually(
    async () => Math.max(...(await cells('Highest'))),
    (highest) => Math.abs(highest - 313.15) < 0.1,
    'kelvins',
  );
  assert.equal(new URL(page.url()).searchParams.get('unit'), 'K');
  await close();
});

test('a unit of another quantity is refused beside its field', async () => {
  const { page, close } = await open(browser, { expected: [400] });
  await page.goto(`/tag?${new URLSearchParams({ id: `${prefix}/history.oil` })}`);
  const unit = page.getByLabel('Read in unit');
  await unit.fill('kPa');
  await unit.press('Enter');
  await page.locator('.field-error').waitFor();
  assert.equal(await page.getByLabel('Read in unit').getAttribute('aria-invalid'), 'true');
  await close();
});

test('a waveform is drawn whole, stepped through and zoomed into', async () => {
  const { page, close } = await open(browser);
  await page.goto(`/tag?${new URLSearchParams({ id: `${prefix}/history.vibration`, range: '1h' })}`);
  const card = page.getByRole('region', { name: 'Waveform', exact: true });
  await card.getByText('3 of 3').waitFor();
  await card.getByText(/Elements: 65536 .* highest 33/).waitFor();
  await card.getByRole('button', { name: 'Previous snapshot' }).click();
  await card.getByText(/highest 22/).waitFor();
  assert.ok(new URL(page.url()).searchParams.has('at'));
  await card.getByRole('application').focus();
  await page.keyboard.press('ArrowLeft');
  await card.getByText(/highest 11/).waitFor();
  assert.ok(await card.getByRole('button', { name: 'Previous snapshot' }).isDisabled());
  // The address says which snapshot.
  await page.reload();
  await card.getByText(/highest 11/).waitFor();
  const area = await card.locator('.u-over').boundingBox();
  await page.mouse.move(area.x + 100, area.y + 60);
  await page.mouse.down();
  await page.mouse.move(area.x + 240, area.y + 70, { steps: 5 });
  await page.mouse.up();
  await card.getByRole('button', { name: 'Whole snapshot' }).click();
  await card.getByRole('button', { name: 'Whole snapshot' }).waitFor({ state: 'detached' });
  await card.getByRole('button', { name: 'Newest' }).click();
  await card.getByText(/highest 33/).waitFor();
  await shot(page, 'waveform');
  const download = page.waitForEvent('download');
  await card.getByRole('button', { name: 'Export CSV' }).click();
  const csv = await readFile(await (await download).path(), 'utf8');
  const lines = csv.trim().split('\r\n');
  assert.equal(lines.length, LENGTH + 1);
  assert.equal(lines[12_346], '12345,33');
  await close();
});

test('in Chinese, narrow and dark, both fit', async () => {
  const { page, close } = await open(browser, {
    locale: 'zh-CN',
    colorScheme: 'dark',
    viewport: { width: 390, height: 844 },
  });
  await page.goto(`/tag?${new URLSearchParams({ id: `${prefix}/history.oil` })}`);
  await page.getByRole('region', { name: '历史数据' }).getByText('分段统计').waitFor();
  await page.getByText('阴影部分为坏值时段').waitFor();
  assert.equal(await overflow(page), 0);
  await page.goto(`/tag?${new URLSearchParams({ id: `${prefix}/history.vibration` })}`);
  await page.getByText(/第 3\/3 帧/).waitFor();
  assert.equal(await overflow(page), 0);
  await shot(page, 'waveform-zh');
  await close();
});
