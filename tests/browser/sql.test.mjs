import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { launch, liveTags, open, overflow, shot } from './stage.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

test('a statement runs, is sorted, is exported, and is in the address', async () => {
  const { page, close } = await open(browser);
  const [tag] = await liveTags(1);
  await page.goto('/sql');
  await page.getByText('No statement yet').waitFor();
  const sql = `SELECT value, time FROM (VALUES (2, 'b'), (10, 'a'), (NULL, 'c')) v(value, time)`;
  const editor = page.getByLabel('Statement');
  await editor.fill(sql);
  await editor.press('Control+Enter');
  await page.getByText(/^Rows: 3 · \d+ ms$/).waitFor();
  const cells = page.locator('.sql-table tbody td:last-child');
  assert.deepEqual(await cells.allInnerTexts(), ['b', 'a', 'c']);
  // By number, not by text; what is null comes first.
  await page.getByRole('button', { name: 'value', exact: true }).click();
  assert.deepEqual(await cells.allInnerTexts(), ['c', 'b', 'a']);
  await page.getByRole('button', { name: 'value', exact: true }).click();
  assert.deepEqual(await cells.allInnerTexts(), ['a', 'b', 'c']);

  const real = `SELECT tag, count(*) AS n FROM samples WHERE tag = '${tag.id}' AND time > now() - interval '1 hour' GROUP BY tag`;
  await editor.fill(real);
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await page.getByRole('cell', { name: tag.id }).waitFor();
  assert.equal(new URL(page.url()).searchParams.get('q'), real);
  await shot(page, 'sql');

  let download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export CSV' }).click();
  const csv = await readFile(await (await download).path(), 'utf8');
  assert.match(csv, /^tag,n\n/);
  assert.ok(csv.includes(tag.id));
  download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Export Arrow' }).click();
  const arrow = await readFile(await (await download).path());
  // A stream of Arrow begins with the mark of a continued message.
  assert.equal(arrow.readUInt32LE(0), 0xffffffff);

  // A colleague gets the statement, not its cost: it runs when somebody says so.
  const other = await open(browser);
  await other.page.goto(page.url());
  assert.equal(await other.page.getByLabel('Statement').inputValue(), real);
  assert.equal(await other.page.locator('.sql-table').count(), 0);
  await other.close();
  await close();
});

test('what is wrong stands below the statement', async () => {
  const { page, close } = await open(browser, { expected: [422] });
  await page.goto(`/sql?q=${encodeURIComponent('SELECT nonsense FROM samples')}`);
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await page.locator('.field-error', { hasText: 'nonsense' }).waitFor();
  assert.equal(await page.getByLabel('Statement').getAttribute('aria-invalid'), 'true');
  await close();
});

test('a statement that takes long is cancelled', async () => {
  const { page, close } = await open(browser);
  await page.goto('/sql');
  const sql =
    'SELECT count(*) FROM generate_series(1, 100000) a CROSS JOIN generate_series(1, 100000) b WHERE a.value % 7 = b.value % 11';
  await page.getByLabel('Statement').fill(sql);
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await page.getByRole('button', { name: 'Cancel', exact: true }).click();
  await page.getByText('The statement was cancelled').waitFor();
  await page.getByRole('button', { name: 'Run', exact: true }).waitFor();
  await close();
});

test('in Chinese, narrow and dark, examples run', async () => {
  const { page, close } = await open(browser, {
    locale: 'zh-CN',
    colorScheme: 'dark',
    viewport: { width: 390, height: 844 },
  });
  await liveTags(2);
  await page.goto('/sql');
  for (const name of [
    '全部测点的最新值',
    '单个测点按小时统计',
    '近一天出现坏值的测点',
    '按某测点的时刻对齐另一测点',
  ]) {
    await page.getByRole('button', { name }).click();
    await page.getByRole('button', { name: '执行', exact: true }).click();
    await page.getByText(/行，用时 \d+ 毫秒/).waitFor();
    assert.equal(await overflow(page), 0, name);
  }
  await shot(page, 'sql-zh');
  await close();
});
