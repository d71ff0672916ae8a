import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { api, changes, eventually, launch, liveTags, open, overflow, shot } from './stage.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

test('a value is written to a device, after both were compared', async () => {
  const { page, close } = await open(browser);
  const speed = (await api('/tags?q=replay-speed')).items.find((tag) => tag.source?.write);
  await page.goto(`/tag?id=${encodeURIComponent(speed.id)}`);
  await page.getByRole('button', { name: 'Write' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('New value').fill('1e9');
  await page.keyboard.press('Enter');
  await dialog.locator('.field-error', { hasText: 'Between' }).waitFor();
  // One recorded row a second, so that the other tests and the pictures have something to see.
  await dialog.getByLabel('New value').fill('180');
  await page.keyboard.press('Enter');
  await dialog.getByText('Compare both values').waitFor();
  await dialog.getByRole('button', { name: 'Write' }).click();
  await dialog.getByText('Requested').waitFor();
  assert.match(await dialog.locator('.before-after').innerText(), /After\s+180/);
  await dialog.getByRole('button', { name: 'Close' }).last().click();
  await eventually(
    () => page.locator('.tag-value').innerText(),
    (text) => text.startsWith('180'),
    'the value written',
  );
  await close();
});

test('the overview shows the plant with live values', async () => {
  const { page, close } = await open(browser);
  await page.goto('/');
  const rows = page.locator('[role=treeitem]');
  await rows.first().waitFor();
  const { items: assets } = await api('/assets?limit=500');
  assert.equal(await rows.count(), assets.length, 'every asset is in the tree');

  // The root counts all tags below it.
  const root = assets.find((asset) => asset.parent === null);
  const below = await api(`/tags?limit=1000&asset=${encodeURIComponent(root.id)}`);
  assert.equal(root.state.tags, below.items.length);
  assert.match(await rows.first().getAttribute('aria-label'), new RegExp(`tags: ${root.state.tags}\\b`));

  const [tag] = await liveTags(1);
  await page.goto(`/?asset=${encodeURIComponent(tag.asset)}`);
  await page.locator(`[role=treeitem][data-row="${tag.asset}"][aria-selected=true]`).waitFor();
  const row = page.getByRole('row').filter({ has: page.getByRole('link', { name: tag.name, exact: true }) });
  await row.locator('.mark.tone-good').waitFor();
  // Values may stand still for a while; their time goes on.
  await changes(row.locator('time'));
  await eventually(
    () => page.locator('.asset-tags .spark path').first().getAttribute('d'),
    (path) => path?.length > 20,
    'a line',
  );

  // Folding hides what is below.
  await page.goto('/');
  await rows.first().waitFor();
  await rows.first().press('ArrowLeft');
  assert.equal(await rows.first().getAttribute('aria-expanded'), 'false');
  assert.ok((await rows.count()) < assets.length);
  await close();
});

test('tags are found, their values live, and a trend is one click away', async () => {
  const { page, close } = await open(browser);
  const [tag] = await liveTags(1);
  await page.goto('/tags');
  await page.locator('.tag-table tbody tr').first().waitFor();
  await page.getByRole('searchbox', { name: /Find tags/ }).fill(tag.id);
  const row = page.getByRole('row').filter({ has: page.getByRole('link', { name: tag.name, exact: true }) });
  await row.waitFor();
  await page.waitForURL(/q=/);
  await changes(row.locator('time'));
  await shot(page, 'tags');

  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export CSV' }).click();
  const csv = await readFile(await (await download).path(), 'utf8');
  assert.match(csv, /^\uFEFFid,name,value,/);
  assert.ok(csv.includes(tag.id));

  await row.getByRole('link', { name: `Trend of ${tag.name}` }).click();
  await page.getByRole('heading', { name: 'Trend', level: 1 }).waitFor();
  await page.locator('.u-over').waitFor();
  await page.locator('.legend .value-number', { hasText: /\d/ }).waitFor();
  await close();
});

test('every tag of a long list is reached by scrolling', async () => {
  const { page, close } = await open(browser, { viewport: { width: 1440, height: 500 } });
  const { tags: count } = await api('/overview');
  await page.goto('/tags');
  await page.locator('.tag-table tbody tr').first().waitFor();
  const last = page.locator(`.tag-table tr[aria-rowindex="${count + 1}"]`);
  await eventually(
    async () => {
      await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight));
      return last.count();
    },
    (found) => found === 1,
    'the last tag',
  );
  await close();
});

test('a tag has its page, with record, source and versions', async () => {
  const { page, close } = await open(browser);
  const [tag] = await liveTags(1);
  await page.goto(`/tag?id=${encodeURIComponent(tag.id)}`);
  await page.getByRole('heading', { name: tag.name, level: 1 }).waitFor();
  await changes(page.locator('.tag-now time'));
  await page.getByRole('region', { name: 'Source' }).getByText('Modbus TCP', { exact: true }).waitFor();
  await page.getByRole('region', { name: 'Versions' }).getByRole('row').nth(1).waitFor();
  await page.getByText(tag.id, { exact: true }).waitFor();
  await close();
});

test('an identifier is resolved, and an unknown one explained', async () => {
  const { page, close } = await open(browser, { expected: [404] });
  const [tag] = await liveTags(1);
  await page.goto('/identify');
  await page.getByRole('searchbox', { name: 'Identifier', exact: true }).fill(tag.id.toUpperCase());
  await page.getByRole('button', { name: 'Resolve' }).click();
  await page.getByRole('heading', { name: tag.name, level: 2 }).waitFor();
  await changes(page.locator('.identify-grid time'));
  await page.getByRole('link', { name: 'Open' }).click();
  await page.getByRole('heading', { name: tag.name, level: 1 }).waitFor();

  await page.goto('/identify?id=88.404/nothing');
  await page.getByRole('alert').getByText('Not found').waitFor();
  await page.getByRole('alert').getByText('Request', { exact: false }).last().waitFor();
  await close();
});

test('languages are switched live, and remembered', async () => {
  const { page, close } = await open(browser);
  await page.goto('/');
  const first = page.locator('[role=treeitem] .tree-text').first();
  await first.waitFor();
  const { items: assets } = await api('/assets?limit=500');
  const root = assets.find((asset) => asset.parent === null);
  assert.equal(await first.innerText(), root.name);
  await page.getByRole('button', { name: '中文' }).click();
  await page.getByRole('heading', { name: '总览', level: 1 }).waitFor();
  const chinese = Object.entries(root.names).find(([code]) => code.startsWith('zh'))[1];
  assert.equal(await first.innerText(), chinese);
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'zh-CN');
  await shot(page, 'overview-zh');
  await page.reload();
  await page.getByRole('heading', { name: '总览', level: 1 }).waitFor();
  await page.getByRole('button', { name: 'English' }).click();
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();
  await close();
});

test('dark follows the system, and can be chosen', async () => {
  const { page, close } = await open(browser, { colorScheme: 'dark' });
  const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const brightness = (colour) =>
    colour
      .match(/\d+/g)
      .slice(0, 3)
      .reduce((sum, part) => sum + Number(part), 0) / 3;
  await page.goto('/');
  await page.locator('[role=treeitem]').first().waitFor();
  assert.ok(brightness(await background()) < 60, 'dark on a dark system');
  await shot(page, 'overview-dark');
  await page.getByRole('button', { name: 'Appearance: System' }).click();
  assert.ok(brightness(await background()) > 200, 'light when chosen');
  await page.reload();
  await page.locator('[role=treeitem]').first().waitFor();
  assert.ok(brightness(await background()) > 200, 'still light after a reload');
  await page.getByRole('button', { name: 'Appearance: Light' }).click();
  assert.ok(brightness(await background()) < 60, 'dark when chosen');
  await close();
});

test('every page fits a screen 390 pixels wide, in both languages', async () => {
  const [tag, other] = await liveTags(2);
  const paths = [
    '/',
    '/tags',
    `/tag?id=${encodeURIComponent(tag.id)}`,
    `/trend?tag=${encodeURIComponent(tag.id)}&tag=${encodeURIComponent(other.id)}&range=5m`,
    '/devices',
    `/device?id=${encodeURIComponent(tag.device)}`,
    `/device/edit?id=${encodeURIComponent(tag.device)}`,
    `/device/points?id=${encodeURIComponent(tag.device)}`,
    `/device/points?id=${encodeURIComponent(tag.device)}&add=1`,
    '/devices/new',
    '/templates',
    '/broker',
    `/identify?id=${encodeURIComponent(tag.id)}`,
    '/audit',
    '/users',
    '/tokens',
    '/account',
    '/no-such-page',
  ];
  for (const locale of ['en-GB', 'zh-CN']) {
    const { page, close } = await open(browser, {
      viewport: { width: 390, height: 844 },
      hasTouch: true,
      locale,
    });
    for (const path of paths) {
      await page.goto(path);
      await page.locator('main#main h1').waitFor();
      await page.waitForLoadState('domcontentloaded');
      await page.locator('.loading').waitFor({ state: 'detached' });
      assert.equal(await overflow(page), 0, `${path} in ${locale}`);
    }
    // The drawer leads to what the bottom bar has no room for.
    await page.locator('nav.bottom button').click();
    await page.locator('.drawer a[href="/audit"]').click();
    await page.waitForURL(/\/audit/);
    await page.goto('/');
    await page.locator('[role=treeitem]').first().waitFor();
    await shot(page, `overview-390-${locale}`);
    await close();
  }
});

test('a page that is not there says so', async () => {
  const { page, close } = await open(browser);
  await page.goto('/no-such-page');
  await page.getByRole('heading', { name: 'Page not found' }).waitFor();
  await page.getByText('/no-such-page').waitFor();
  await close();
});

test('the picture for the README', async () => {
  const { page, close } = await open(browser, {
    viewport: { width: 1440, height: 900 },
    deviceScaleFactor: 1.5,
  });
  const { items: assets } = await api('/assets?limit=500');
  const tags = await liveTags(1);
  // The asset with the most kinds of values of its own shows most.
  const kinds = (asset) => new Set(tags.filter((tag) => tag.asset === asset.id).map((tag) => tag.unit)).size;
  const [asset] = [...assets].sort((a, b) => kinds(b) - kinds(a));
  await page.goto(`/?asset=${encodeURIComponent(asset.id)}`);
  await page.locator('.asset-tags .mark.tone-good').first().waitFor();
  const lines = page.locator('.asset-tags .spark path');
  await eventually(
    () =>
      lines.evaluateAll(
        (paths) => paths.filter((path) => (path.getAttribute('d') ?? '').split('L').length > 20).length,
      ),
    (drawn) => drawn > 3,
    'lines',
  );
  await shot(page, 'overview');
  await close();
});
