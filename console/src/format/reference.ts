// References to registers, as manuals of controllers write them.

const TABLES: Record<string, string> = { '0': 'coil', '1': 'discrete', '3': 'input', '4': 'holding' };
const ADDRESS_MAX = 65_535;

/** The table and wire address of a five- or six-digit reference: `40001` is the first holding register. */
export function parseReference(text: string): { table: string; address: number } | undefined {
  const match = /^([0134])(\d{4,5})$/.exec(text.trim());
  const table = TABLES[match?.[1] ?? ''];
  const number = Number(match?.[2]);
  return table && number >= 1 && number <= ADDRESS_MAX + 1 ? { table, address: number - 1 } : undefined;
}
