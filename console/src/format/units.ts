// Units that a reading may be wanted in. The node converts any UCUM code of the same quantity; these
// are offered because plants use them.

const LIKE: readonly (readonly string[])[] = [
  ['Cel', 'K', '[degF]'],
  ['Pa', 'kPa', 'MPa', 'mbar', 'bar', '[psi]', 'atm', 'mm[Hg]'],
  ['m3/h', 'm3/s', 'L/min', 'L/s', 'L/h'],
  ['kg/h', 'kg/s', 't/h', 'g/s'],
  ['m', 'mm', 'cm', 'um', 'km', '[in_i]', '[ft_i]'],
  ['m/s', 'mm/s', 'm/min', 'km/h'],
  ['m/s2', 'mm/s2', '[g]'],
  ['g', 'kg', 't', 'mg', '[lb_av]'],
  ['m3', 'L', 'mL'],
  ['W', 'kW', 'MW'],
  ['J', 'kJ', 'MJ', 'W.h', 'kW.h', 'MW.h'],
  ['V', 'mV', 'kV'],
  ['A', 'mA', 'kA'],
  ['Hz', 'kHz', '/min', '/s'],
  ['s', 'ms', 'min', 'h', 'd'],
  ['%', '[ppth]', '[ppm]', '1'],
  ['N', 'kN'],
  ['N.m', 'kN.m'],
  ['rad', 'deg'],
];

/** Codes of the same quantity, without the unit itself. */
export function unitsLike(unit: string): string[] {
  return LIKE.filter((codes) => codes.includes(unit)).flatMap((codes) =>
    codes.filter((code) => code !== unit),
  );
}
