// Modbus addresses: zero-based as on the wire, and the references that lists and manuals write.
import type { ModbusAddress, ModbusTable, ModbusType } from '../api/types';
import type { Translate } from '../i18n/i18n';

const FIRST_DIGIT: Record<ModbusTable, string> = { coil: '0', discrete: '1', input: '3', holding: '4' };
export const ADDRESS_MAX = 65_535;
/** The last address that a five-digit reference can name. */
const FIVE_DIGITS_MAX = 9_998;

/** `40001` for the first holding register, `400001`-style beyond 9999. */
export function reference(table: ModbusTable, address: number): string {
  const digits = address <= FIVE_DIGITS_MAX ? 4 : 5;
  return FIRST_DIGIT[table] + String(address + 1).padStart(digits, '0');
}

/** The table and wire address of a five- or six-digit reference. */
export function parseReference(text: string): { table: ModbusTable; address: number } | undefined {
  const match = /^([0134])(\d{4,5})$/.exec(text.trim());
  const table = (Object.keys(FIRST_DIGIT) as ModbusTable[]).find((name) => FIRST_DIGIT[name] === match?.[1]);
  const number = Number(match?.[2]);
  return table && number >= 1 && number <= ADDRESS_MAX + 1 ? { table, address: number - 1 } : undefined;
}

/** Whether the table holds single bits. */
export function isBitTable(table: ModbusTable): boolean {
  return table === 'coil' || table === 'discrete';
}

/** Whether the table can be written. */
export function isWritable(table: ModbusTable): boolean {
  return table === 'coil' || table === 'holding';
}

/** Whether values of the type span several registers, so that their order matters. */
export function hasWordOrder(type: ModbusType): boolean {
  return /^[uif](32|64)$/.test(type);
}

/** An address for people: `Holding register 40001 · f32 · CDAB`. */
export function addressText(address: ModbusAddress, t: Translate): string {
  const bit = address.bit === null || address.bit === undefined ? '' : `.${address.bit}`;
  return [
    `${t(`table.${address.table}`)} ${reference(address.table, address.address)}${bit}`,
    address.type,
    hasWordOrder(address.type) ? address.word_order : null,
    address.unit === null || address.unit === undefined ? null : `${t('device.unit')} ${address.unit}`,
  ]
    .filter(Boolean)
    .join(' · ');
}
