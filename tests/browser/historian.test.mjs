import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { api, eventually, launch, open, overflow, send, shot } from './stage.mjs';

let browser;
before(async () => {
  browser = await launch();
  await send('PUT', '/retention', { rules: [] });
});
after(async () => {
  await send('PUT', '/retention', { rules: [] });
  await browser.close();
});

// The demo has no lake, and says so with 404.
const EXPECTED = [404];

test('what is stored is shown as the node tells it', async () => {
  const { page, close } = await open(browser, { expected: EXPECTED });
  await page.goto('/historian');
  await page.getByText('Write-ahead log').waitFor();
  const { samples } = await api('/historian');
  const shown = page
    .locator('.historian-figures div', { hasText: 'Samples ever stored' })
    .locator('dd')
    .first();
  await eventually(
    async () => Number((await shown.innerText()).replaceAll(',', '')),
    (count) => count >= samples,
    'the count of samples',
  );
  await page.getByText('This node keeps no copy of its samples in a data lake.').waitFor();
  await shot(page, 'historian');
  await close();
});

test('rules are checked, confirmed with what they take, and kept', async () => {
  const { page, close } = await open(browser, { expected: EXPECTED });
  await page.goto('/historian');
  const card = page.getByRole('region', { name: 'How long samples are kept' });
  await card.getByText('Every sample is kept, without an end.').waitFor();
  await card.getByRole('button', { name: 'Add a rule' }).click();
  await card.getByRole('button', { name: 'Add a rule' }).click();
  const days = card.getByLabel('After days');
  assert.equal(await days.count(), 2);
  await days.nth(0).fill('3000');
  await days.nth(1).fill('2000');
  await card.getByRole('button', { name: 'Save' }).click();
  await card.getByText('Later than the rule above').waitFor();
  assert.equal(await days.nth(1).getAttribute('aria-invalid'), 'true');
  assert.deepEqual((await api('/retention')).rules, [], 'nothing was sent');

  // What was typed is there after a reload.
  await page.reload();
  await card.getByText('What you typed earlier is back.').waitFor();
  assert.equal(await days.nth(0).inputValue(), '3000');
  await days.nth(1).fill('3650');
  await card.getByRole('button', { name: 'Save' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('removed for ever').waitFor();
  await dialog.getByText('Reaches nothing of what is stored today.').first().waitFor();
  await shot(page, 'retention');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  assert.deepEqual((await api('/retention')).rules, [], 'nobody confirmed');
  await card.getByRole('button', { name: 'Save' }).click();
  await dialog.getByRole('button', { name: 'Save and remove' }).click();
  await page.getByText('Saved').waitFor();
  assert.deepEqual((await api('/retention')).rules, [
    { after_days: 3000, keep: 'minute' },
    { after_days: 3650, keep: 'hour' },
  ]);
  // Keeping more takes nothing, and asks nobody.
  await card.getByRole('button', { name: 'Remove this rule' }).first().click();
  await card.getByRole('button', { name: 'Remove this rule' }).first().click();
  await card.getByRole('button', { name: 'Save' }).click();
  await eventually(
    async () => (await api('/retention')).rules,
    (rules) => rules.length === 0,
    'rules without any',
  );
  await close();
});

test('a change by somebody else is told, and nothing typed is lost', async () => {
  const { page, close } = await open(browser, { expected: [...EXPECTED, 409, 412] });
  await page.goto('/historian');
  const card = page.getByRole('region', { name: 'How long samples are kept' });
  await card.getByRole('button', { name: 'Add a rule' }).click();
  const days = card.getByLabel('After days');
  await days.fill('5000');
  await send('PUT', '/retention', { rules: [{ after_days: 7000, keep: 'day' }] });
  await card.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Save and remove' }).click();
  await page.getByRole('dialog').getByText('Changed by somebody else in the meantime').waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  await card.getByText('Somebody has changed the rules meanwhile').waitFor();
  await card.getByText('After 7000 days: the extremes of every day.').waitFor();
  assert.equal(await days.inputValue(), '5000');
  await card.getByRole('button', { name: 'Go on with what I typed' }).click();
  await card.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Save and remove' }).click();
  await eventually(
    async () => (await api('/retention')).rules,
    ([rule]) => rule?.after_days === 5000,
    'the rule that was typed',
  );
  await close();
});

test('in Chinese, narrow and dark, it fits', async () => {
  const { page, close } = await open(browser, {
    expected: EXPECTED,
    locale: 'zh-CN',
    colorScheme: 'dark',
    viewport: { width: 390, height: 844 },
  });
  await page.goto('/historian');
  await page.getByRole('region', { name: '保存期限' }).waitFor();
  await page.getByText('预写日志').waitFor();
  assert.equal(await overflow(page), 0);
  await shot(page, 'historian-zh');
  await close();
});
