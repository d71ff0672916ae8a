// One way to call the API: JSON in and out, problems as `ApiError`, the CSRF header on every change.
import { learnClock } from './clock';
import type { FieldError, Page, PeerCertificate, Problem } from './types';

const BASE = '/api/v1';

/** A failed call. `code` is the problem's stable code, or `network` when nothing answered. */
export class ApiError extends Error {
  readonly code: string;
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly request: string | undefined;
  readonly fields: FieldError[];
  /** What a device presented, where its certificate is not trusted. */
  readonly certificate: PeerCertificate | undefined;
  readonly retryAfterS: number | undefined;

  constructor(problem: Partial<Problem> & { code: string; status: number }, retryAfterS?: number) {
    super(problem.detail || problem.title || problem.code);
    this.name = 'ApiError';
    this.code = problem.code;
    this.status = problem.status;
    this.title = problem.title ?? '';
    this.detail = problem.detail ?? '';
    this.request = problem.request;
    this.fields = problem.errors ?? [];
    this.certificate = problem.certificate ?? undefined;
    this.retryAfterS = retryAfterS;
  }
}

let csrf = '';
let signedOut: () => void = () => {};

/** The session's CSRF token, sent with every call that changes something. */
export function setCsrf(token: string): void {
  csrf = token;
}

/** Called when the node no longer knows the session. */
export function onSignedOut(listener: () => void): void {
  signedOut = listener;
}

export interface CallOptions {
  body?: unknown;
  /** A body that is no JSON, with its media type. */
  text?: { type: string; content: string };
  signal?: AbortSignal | undefined;
  accept?: string;
  /** The version the change is based on. */
  ifMatch?: string | null | undefined;
}

async function problemOf(response: Response): Promise<ApiError> {
  const retryAfter = Number(response.headers.get('Retry-After'));
  const wait = Number.isFinite(retryAfter) && retryAfter > 0 ? retryAfter : undefined;
  const text = await response.text().catch(() => '');
  try {
    const problem = JSON.parse(text) as Problem;
    if (typeof problem.code === 'string') return new ApiError({ ...problem, status: response.status }, wait);
  } catch {
    // A proxy's page or an empty body: the status says what there is to say.
  }
  const code = response.status === 401 ? 'unauthenticated' : 'unexpected-answer';
  return new ApiError({ code, status: response.status, detail: text.slice(0, 200) }, wait);
}

/** Sends a request and hands back the response when it is a success. */
export async function send(method: string, path: string, options: CallOptions = {}): Promise<Response> {
  const headers: Record<string, string> = { Accept: options.accept ?? 'application/json' };
  const body = options.text?.content ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
  if (body !== undefined) headers['Content-Type'] = options.text?.type ?? 'application/json';
  if (method !== 'GET' && csrf) headers['X-Weir-Csrf'] = csrf;
  if (options.ifMatch) headers['If-Match'] = options.ifMatch;
  let response: Response;
  try {
    response = await fetch(BASE + path, {
      method,
      headers,
      credentials: 'same-origin',
      ...(body === undefined ? {} : { body }),
      ...(options.signal ? { signal: options.signal } : {}),
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new ApiError({ code: 'network', status: 0, detail: String(error) });
  }
  learnClock(response.headers.get('Date'), Date.now());
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (problem.status === 401 && !path.startsWith('/session')) signedOut();
  throw problem;
}

async function json<T>(response: Response): Promise<T> {
  const text = await response.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return json<T>(await send('GET', path, { signal }));
}

/** A record with the version that a later change names. */
export interface Versioned<T> {
  body: T;
  etag: string | null;
}

export async function getVersioned<T>(path: string, signal?: AbortSignal): Promise<Versioned<T>> {
  const response = await send('GET', path, { signal });
  return { body: await json<T>(response), etag: response.headers.get('ETag') };
}

export async function post<T>(path: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  return json<T>(await send('POST', path, { body, signal }));
}

/** Sends a text that is no JSON, such as CSV. */
export async function postText<T>(path: string, type: string, content: string): Promise<T> {
  return json<T>(await send('POST', path, { text: { type, content } }));
}

export async function put<T>(path: string, body: unknown, ifMatch?: string | null): Promise<T> {
  return json<T>(await send('PUT', path, { body, ifMatch }));
}

export async function patch<T>(path: string, body: unknown, ifMatch?: string | null): Promise<T> {
  return json<T>(await send('PATCH', path, { body, ifMatch }));
}

export async function remove(path: string, ifMatch?: string | null): Promise<void> {
  await send('DELETE', path, { ifMatch });
}

export type Parameters = Record<string, string | number | null | undefined>;

/** `path?name=value…`, leaving out what is empty. */
export function withQuery(path: string, parameters: Parameters): string {
  const query = Object.entries(parameters)
    .filter(([, value]) => value !== null && value !== undefined && value !== '')
    .map(([name, value]) => `${name}=${encodeURIComponent(String(value))}`)
    .join('&');
  return query ? `${path}?${query}` : path;
}

/** `/collection/{id}`: the identifier is one path segment, its slash included. */
export function withId(collection: string, id: string, rest = ''): string {
  return `${collection}/${encodeURIComponent(id)}${rest}`;
}

/** Largest page asked for when a whole list is read. */
const WHOLE_PAGE_LIMIT = 1000;

/** Reads a list to its end, or to `itemsMax`, so that no list can take the browser down. */
export async function getAll<T>(
  path: string,
  parameters: Parameters,
  itemsMax: number,
  signal?: AbortSignal,
): Promise<{ items: T[]; more: boolean }> {
  const items: T[] = [];
  let cursor: string | null = null;
  do {
    const limit = Math.min(WHOLE_PAGE_LIMIT, itemsMax - items.length);
    const page: Page<T> = await get<Page<T>>(withQuery(path, { ...parameters, limit, cursor }), signal);
    items.push(...page.items);
    cursor = page.next;
  } while (cursor !== null && items.length < itemsMax);
  return { items, more: cursor !== null };
}
