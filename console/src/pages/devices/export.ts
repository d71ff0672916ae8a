// Devices with their points as a table.
import { send, withQuery } from '../../api/client';

/** The table of these devices; of all that may be seen where none is named. */
export async function exported(devices: readonly string[]): Promise<string> {
  if (devices.length === 0) return table(null);
  const tables: string[] = [];
  for (const device of devices) tables.push(await table(device));
  // One header is enough.
  return tables.map((text, index) => (index === 0 ? text : text.slice(text.indexOf('\n') + 1))).join('');
}

async function table(device: string | null): Promise<string> {
  const answer = await send('GET', withQuery('/devices/export', { device }), { accept: 'text/csv' });
  return (await answer.text()).replace(/^\uFEFF/, '');
}
