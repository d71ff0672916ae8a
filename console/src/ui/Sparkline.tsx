import { useQuery } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { get, withId, withQuery } from '../api/client';
import { nodeNow } from '../api/clock';
import type { Sample, Tag } from '../api/types';
import { parseQuality } from '../format/quality';
import { isoSeconds } from '../url/trend';
import { toSeconds } from '../format/time';
import { toNumber } from '../format/value';
import { useFollow } from '../live/live';

const WIDTH = 110;
const HEIGHT = 26;
/** The last ten minutes, the span an operator glances back over. */
const SPAN_S = 600;
/** A young tag's line is stretched to the box once it spans this much. */
const SPAN_S_MIN = 60;
/** Points kept; more than the pixels there are would not be seen. */
const POINTS_MAX = 700;

type Point = readonly [seconds: number, value: number | null];

export function point(sample: Sample): Point {
  const bad = parseQuality(sample.quality).severity === 'bad';
  return [toSeconds(sample.time), bad ? null : toNumber(sample.value)];
}

/** The path of the points in a box; a point without value lifts the pen. */
export function sparkPath(
  points: readonly Point[],
  from: number,
  to: number,
  width: number,
  height: number,
): string {
  const seen = points.filter(([time]) => time >= from && time <= to);
  const values = seen.flatMap(([, value]) => (value === null ? [] : [value]));
  if (values.length === 0) return '';
  const low = Math.min(...values);
  const span = Math.max(...values) - low;
  let pen = false;
  let path = '';
  for (const [time, value] of seen) {
    if (value === null) {
      pen = false;
      continue;
    }
    const x = ((time - from) / (to - from)) * width;
    const y = span > 0 ? height - ((value - low) / span) * height : height / 2;
    path += `${pen ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`;
    pen = true;
  }
  return path;
}

/** The tag's last minutes as a small line: history first, then live. */
export function Sparkline({ tag }: { tag: Tag }) {
  const history = useQuery({
    queryKey: ['spark', tag.id],
    queryFn: async ({ signal }) => {
      const now = nodeNow();
      const path = withId('/tags', tag.id, '/samples');
      const query = { from: isoSeconds(now - SPAN_S), to: isoSeconds(now + 60), max_points: WIDTH };
      return (await get<{ samples: Sample[] }>(withQuery(path, query), signal)).samples.map(point);
    },
    staleTime: 60_000,
  });
  const points = useRef<Point[]>([]);
  const [path, setPath] = useState('');
  const draw = () => {
    const to = points.current.at(-1)?.[0];
    const first = points.current[0]?.[0];
    if (to === undefined || first === undefined) return;
    const from = Math.max(to - SPAN_S, Math.min(first, to - SPAN_S_MIN));
    setPath(sparkPath(points.current, from, to, WIDTH, HEIGHT));
  };
  useEffect(() => {
    if (!history.data) return;
    const newest = history.data.at(-1)?.[0] ?? 0;
    points.current = [...history.data, ...points.current.filter(([time]) => time > newest)];
    draw();
  }, [history.data]);
  useFollow([tag.id], {
    sample: (sample) => {
      const next = point(sample);
      if (next[0] <= (points.current.at(-1)?.[0] ?? 0)) return;
      points.current = [...points.current.slice(1 - POINTS_MAX), next];
      draw();
    },
    gap: () => void history.refetch(),
  });
  return (
    <svg
      className="spark"
      viewBox={`-1 -2 ${WIDTH + 2} ${HEIGHT + 4}`}
      width={WIDTH}
      height={HEIGHT + 4}
      aria-hidden="true"
      focusable="false"
    >
      <path d={path} />
    </svg>
  );
}
