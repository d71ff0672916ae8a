// Comma-separated values that spreadsheets open without surprises.

export type Cell = string | number | boolean | null | undefined;

/** RFC 4180 lines, the header first. */
export function toCsv(header: readonly string[], rows: Iterable<readonly Cell[]>): string {
  const lines = [header.map(cellText).join(',')];
  for (const row of rows) lines.push(row.map(cellText).join(','));
  return `${lines.join('\r\n')}\r\n`;
}

function cellText(cell: Cell): string {
  if (cell === null || cell === undefined) return '';
  if (typeof cell !== 'string') return String(cell);
  // A text that a spreadsheet would run as a formula is defused; numbers stay numbers.
  const text = /^[=+\-@\t\r]/.test(cell) && !Number.isFinite(Number(cell)) ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Hands the text to the browser as a file. The mark in front lets spreadsheets read Chinese. */
export function downloadCsv(name: string, text: string): void {
  download(name, new Blob(['\uFEFF', text], { type: 'text/csv;charset=utf-8' }));
}

/** Hands JSON to the browser as a file. */
export function downloadJson(name: string, text: string): void {
  download(name, new Blob([text], { type: 'application/json' }));
}

/** Hands anything to the browser as a file. */
export function download(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The browser has taken the file over by the next task.
  setTimeout(() => URL.revokeObjectURL(url), 0);
}

/** `weir-tags-20261123-080005.csv`. */
export function fileName(what: string, now: Date, ending: 'csv' | 'json' | 'arrow' = 'csv'): string {
  const stamp = new Date(now.getTime() - now.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
  return `weir-${what.replace(/[^\p{L}\p{N}._-]+/gu, '-')}-${stamp.replace(/[-:]/g, '').replace('T', '-')}.${ending}`;
}
