import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, open, PASSWORD, URL_BASE, USER } from './stage.mjs';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

test('a wrong password is said, and what was typed stays', async () => {
  const { page, close } = await open(browser, { signedIn: false });
  await page.goto('/tags?q=reactor');
  await page.getByLabel('User', { exact: true }).fill(USER);
  await page.getByLabel('Password').fill(`${PASSWORD} not`);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('User or password is wrong.').waitFor();
  assert.equal(await page.getByLabel('User', { exact: true }).inputValue(), USER);
  assert.equal(await page.getByLabel('Password').inputValue(), '');

  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: 'Tags', level: 1 }).waitFor();
  assert.equal(page.url(), `${URL_BASE}/tags?q=reactor`, 'signing in keeps the address');
  await close();
});

test('the keyboard alone signs in, moves about and signs out', async () => {
  const { page, close } = await open(browser, { signedIn: false });
  await page.goto('/');
  await page.locator('input[name=user]:focus').waitFor();
  await page.keyboard.type(USER);
  await page.keyboard.press('Tab');
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Overview', level: 1 }).waitFor();

  // The first stop leads past the navigation.
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to content');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');

  // The tree is one stop; arrows move in it.
  const row = page.locator('[role=treeitem]').first();
  await row.waitFor();
  await row.focus();
  await page.keyboard.press('ArrowDown');
  const second = page.locator('[role=treeitem]').nth(1);
  assert.equal(await second.getAttribute('aria-selected'), 'true');
  assert.ok(await second.evaluate((element) => element === document.activeElement));
  assert.match(page.url(), /asset=/);

  // A slash goes to the search, wherever the focus is.
  await page.keyboard.press('/');
  assert.ok(await page.evaluate(() => document.activeElement.matches('main [data-search]')));

  await page.getByRole('button', { name: `Signed in as ${USER}` }).press('Enter');
  await page.getByRole('button', { name: 'Sign out' }).press('Enter');
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
  assert.equal((await page.request.get('/api/v1/session')).status(), 401);
  await close();
});

test('a session that is ended elsewhere leads back to signing in, and on to the same page', async () => {
  const { page, close } = await open(browser, { expected: [401] });
  await page.goto('/tags?q=reactor');
  await page.locator('.tag-table .mark.tone-good').first().waitFor();
  const { csrf } = await (await page.request.get('/api/v1/session')).json();
  const ended = await page.request.delete('/api/v1/session', { headers: { 'X-Weir-Csrf': csrf } });
  assert.equal(ended.status(), 204);
  // Nobody touches the page: the end of its live stream tells it.
  await page.getByText('Your session has ended.').waitFor();
  await page.getByLabel('User', { exact: true }).fill(USER);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.locator('.tag-table .mark.tone-good').first().waitFor();
  assert.equal(page.url(), `${URL_BASE}/tags?q=reactor`);
  await close();
});

test('dialogs keep the focus and give it back', async () => {
  const { page, close } = await open(browser);
  await page.goto('/');
  const opener = page.getByRole('button', { name: 'Add asset', exact: true });
  await opener.press('Enter');
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  for (let step = 0; step < 25; step++) {
    await page.keyboard.press('Tab');
    const place = await page.evaluate(() => {
      const at = document.activeElement;
      return at === document.body || at.closest('dialog') ? 'inside' : at.outerHTML;
    });
    assert.equal(place, 'inside');
  }
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  assert.ok(await opener.evaluate((element) => element === document.activeElement));
  await close();
});
