// One change for many points.
import type { Grade } from '../api/types';
import type { PointText } from './points';

export interface BulkChange {
  /** Which parts are changed; the others stay. */
  changed: Record<'name' | 'unit' | 'poll' | 'scaling' | 'range' | 'write' | 'asset' | 'grade', boolean>;
  find: string;
  replace: string;
  prefix: string;
  unit: string;
  poll: string;
  factor: string;
  offset: string;
  low: string;
  high: string;
  writable: boolean;
  writeMin: string;
  writeMax: string;
  asset: string;
  grade: Grade | '';
}

export const NOTHING_CHANGED: BulkChange = {
  changed: {
    name: false,
    unit: false,
    poll: false,
    scaling: false,
    range: false,
    write: false,
    asset: false,
    grade: false,
  },
  find: '',
  replace: '',
  prefix: '',
  unit: '',
  poll: '',
  factor: '1',
  offset: '0',
  low: '',
  high: '',
  writable: true,
  writeMin: '',
  writeMax: '',
  asset: '',
  grade: '',
};

/** The point with what is changed. */
export function bulkChange(point: PointText, change: BulkChange): PointText {
  const { changed } = change;
  const renamed = change.find ? point.name.replaceAll(change.find, change.replace) : point.name;
  return {
    ...point,
    ...(changed.name ? { name: `${change.prefix}${renamed}`.trim() } : {}),
    ...(changed.unit ? { unit: change.unit } : {}),
    ...(changed.poll ? { poll: change.poll } : {}),
    ...(changed.scaling ? { factor: change.factor, offset: change.offset } : {}),
    ...(changed.range ? { low: change.low, high: change.high } : {}),
    ...(changed.write
      ? {
          writable: change.writable,
          writeMin: change.writable ? change.writeMin : '',
          writeMax: change.writable ? change.writeMax : '',
        }
      : {}),
    ...(changed.asset ? { asset: change.asset } : {}),
    ...(changed.grade ? { grade: change.grade } : {}),
  };
}
