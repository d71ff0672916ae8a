// The stage every test plays on: Chromium, a page of the console, and the API beside it.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

function setting(name) {
  const value = process.env[name];
  assert.ok(value, `${name} is not set: run these tests with \`cargo xtask test\``);
  return value;
}

export const URL_BASE = setting('WEIR_URL').replace(/\/$/, '');
export const USER = setting('WEIR_USER');
export const PASSWORD = setting('WEIR_PASSWORD');
export const TOKEN = setting('WEIR_TOKEN');
const SHOTS = setting('WEIR_SHOTS');

/** How long anything may take to appear. The first values need a poll or two of the demo's devices. */
const PATIENCE_MS = 15_000;

export async function launch() {
  return chromium.launch({
    executablePath: setting('CHROMIUM'),
    // Containers have no user namespaces for the sandbox, and tests open only our own pages. The
    // other switches keep the browser from calling home.
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

/**
 * A page of its own, with what went wrong in it. Signed in unless asked otherwise.
 *
 * The browser itself reports each answer of 4xx as an error; those that a test provokes are
 * `expected`, by status.
 */
export async function open(browser, { signedIn = true, expected = [], ...options } = {}) {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 },
    locale: 'en-GB',
    timezoneId: 'Asia/Shanghai',
    colorScheme: 'light',
    baseURL: URL_BASE,
    acceptDownloads: true,
    ...options,
  });
  context.setDefaultTimeout(PATIENCE_MS);
  if (signedIn) {
    const answer = await context.request.post('/api/v1/session', {
      data: { user: USER, password: PASSWORD },
    });
    assert.equal(answer.status(), 200, await answer.text());
  }
  const page = await context.newPage();
  const faults = [];
  const quiet = signedIn ? expected : [401, ...expected];
  page.on('pageerror', (error) => faults.push(`uncaught: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() !== 'error' && message.type() !== 'warning') return;
    const status = /status of (\d{3})/.exec(message.text())?.[1];
    if (!quiet.includes(Number(status))) faults.push(`${message.type()}: ${message.text()}`);
  });
  return {
    page,
    context,
    /** Ends the page; fails if it reported an error, a warning or a breach of its policy. */
    async close() {
      await context.close();
      assert.deepEqual(faults, [], 'the browser reported errors');
    },
  };
}

/** Asks the API as a program would, with the token. */
export async function api(path) {
  const answer = await fetch(`${URL_BASE}/api/v1${path}`, { headers: { Authorization: `Bearer ${TOKEN}` } });
  assert.equal(answer.status, 200, `${path}: ${await answer.clone().text()}`);
  return answer.json();
}

/** Changes something through the API, as a program would. */
export async function send(method, path, body, type = 'application/json') {
  const answer = await fetch(`${URL_BASE}/api/v1${path}`, {
    method,
    headers: { Authorization: `Bearer ${TOKEN}`, ...(body === undefined ? {} : { 'Content-Type': type }) },
    body: typeof body === 'string' || body === undefined ? body : JSON.stringify(body),
  });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
}

/** Asks until the answer satisfies, then gives it. */
export async function eventually(ask, satisfies, what) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (satisfies(answer)) return answer;
    assert.ok(
      Date.now() < deadline,
      `${what} did not come within ${PATIENCE_MS} ms; last: ${JSON.stringify(answer)}`,
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Tags with numbers that a device delivers, good by now. */
export async function liveTags(count) {
  return eventually(
    async () =>
      (await api('/tags?limit=500')).items.filter(
        (tag) => tag.device && tag.data_type === 'f64' && tag.last?.quality === 'good',
      ),
    (tags) => tags.length >= count,
    'live tags',
  );
}

/** Waits until the text of an element is another one than now. */
export async function changes(locator) {
  const before = await locator.innerText();
  await eventually(
    () => locator.innerText(),
    (now) => now !== before,
    `a change of "${before}"`,
  );
}

/** A picture for the documentation, or to look at when something failed. */
export async function shot(page, name) {
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, `${name}.png`) });
}

/** How many pixels the page is wider than the screen. */
export async function overflow(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}
