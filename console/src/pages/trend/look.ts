// Colours, scales and axes of the chart.
import type uPlot from 'uplot';
import type { Tag } from '../../api/types';
import { unitText } from '../../ui/Status';

// Told apart by people with any colour vision; each at least 3:1 against its background.
const LIGHT = [
  '#0067a3',
  '#c2410c',
  '#00795a',
  '#9333a8',
  '#8a6100',
  '#be185d',
  '#4d5b66',
  '#0e7490',
  '#7c4a1e',
  '#4f46c8',
  '#5b7a00',
  '#a8323a',
];
const DARK = [
  '#5ab8f5',
  '#ff9a5c',
  '#3fd0a0',
  '#d596e8',
  '#e3b84d',
  '#f787b5',
  '#b4c1ca',
  '#4fd3e6',
  '#d0a077',
  '#a5a0ff',
  '#b5d34d',
  '#ff9088',
];

export function lineColour(index: number, dark: boolean): string {
  const colours = dark ? DARK : LIGHT;
  return colours[index % colours.length]!;
}

/** Tags whose value stays until the next are drawn as steps: what the tag says, else what its type says. */
export function isStepped(tag: Tag | undefined): boolean {
  if (!tag) return false;
  return tag.interpolation ? tag.interpolation === 'step' : tag.data_type !== 'f64';
}

/** Most rows of an export of several tags. */
const ROWS_MAX = 10_000;
/** Steps between rows, in seconds, as people count time. */
const STEPS_S = [1, 2, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 21_600, 86_400];

/** The step from row to row of so many seconds, as the node reads it. */
export function stepFor(seconds: number): string {
  if (seconds * 10 <= ROWS_MAX) return '100ms';
  const step = STEPS_S.find((one) => seconds / one <= ROWS_MAX);
  return `${step ?? Math.ceil(seconds / ROWS_MAX)}s`;
}

/** Tags of one unit share a scale. */
export function scaleKey(tag: Tag | undefined): string {
  if (!tag) return 'unit:';
  return tag.data_type === 'bool' ? 'bool' : `unit:${unitText(tag)}`;
}

/** Room above and below the line, as a share of its height. */
const PADDING = 0.08;

export function paddedRange(low: number | null, high: number | null): [number, number] {
  if (low === null || high === null || !Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  const pad = high > low ? (high - low) * PADDING : Math.max(Math.abs(high) * 0.05, 0.5);
  return [low - pad, high + pad];
}

/** Most decimals of an axis's label. */
const DECIMALS_MAX = 9;

/** The labels of a value axis, with as many decimals as their distance needs: 2.5 needs one. */
export function tickTexts(splits: readonly number[]): string[] {
  const step = splits.length > 1 ? Math.abs(splits[1]! - splits[0]!) : 1;
  const isWhole = (x: number) => Math.abs(x - Math.round(x)) <= x * 1e-6;
  let decimals = 0;
  while (decimals < DECIMALS_MAX && !isWhole(step * 10 ** decimals)) decimals++;
  return splits.map((split) => (Math.abs(split) >= 1e7 ? split.toExponential(3) : split.toFixed(decimals)));
}

/** Labels of the time axis: 24 hours, year first, the date where it changes. */
export const TIME_LABELS: uPlot.Axis.Values = [
  [3600 * 24 * 365, '{YYYY}', null, null, null, null, null, null, 1],
  [3600 * 24 * 28, '{YYYY}-{MM}', null, null, null, null, null, null, 1],
  [3600 * 24, '{MM}-{DD}', '\n{YYYY}', null, null, null, null, null, 1],
  [60, '{HH}:{mm}', '\n{YYYY}-{MM}-{DD}', null, '\n{MM}-{DD}', null, null, null, 1],
  [1, '{HH}:{mm}:{ss}', '\n{YYYY}-{MM}-{DD}', null, '\n{MM}-{DD}', null, null, null, 1],
  [
    0.001,
    '{ss}.{fff}',
    '\n{YYYY}-{MM}-{DD} {HH}:{mm}',
    null,
    '\n{MM}-{DD} {HH}:{mm}',
    null,
    '\n{HH}:{mm}',
    null,
    1,
  ],
];
