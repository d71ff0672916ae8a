// Quality: OPC UA severity and status code.

export type Severity = 'good' | 'uncertain' | 'bad';

/** The status codes that have a text of their own. */
export const QUALITY_CODES = [
  '0x40900000',
  '0x80050000',
  '0x800A0000',
  '0x80310000',
  '0x80320000',
  '0x80340000',
  '0x803C0000',
  '0x80890000',
  '0x808A0000',
  '0x808B0000',
  '0x808D0000',
] as const;
export type QualityCode = (typeof QUALITY_CODES)[number];

export interface Quality {
  severity: Severity;
  /** As sent, such as `0x80310000`. */
  code: string | undefined;
  /** The code, when it is one that has a text. */
  known: QualityCode | undefined;
}

export function parseQuality(text: string | undefined): Quality {
  const [name, code] = (text ?? 'bad').split(':');
  const severity: Severity = name === 'good' || name === 'uncertain' ? name : 'bad';
  const upper = code?.replace(/^0x/i, '').toUpperCase().padStart(8, '0');
  return { severity, code, known: QUALITY_CODES.find((known) => known === `0x${upper}`) };
}
