// The chart itself: uPlot, fed from outside, that says what the hand did.
import { useEffect, useRef, type KeyboardEvent } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useT } from '../../i18n/i18n';
import { listen, shifted, zoomed, type Moves } from './gestures';
import { paddedRange, tickTexts, TIME_LABELS } from './look';
import type { Aligned } from './series';

export interface Line {
  id: string;
  label: string;
  unit: string;
  scale: string;
  colour: string;
  stepped: boolean;
  hidden: boolean;
}

export interface ChartProps {
  lines: readonly Line[];
  data: Aligned;
  /** Spans of bad quality, in seconds; one without an end goes on to the right edge. */
  shaded?: readonly (readonly [number, number])[];
  from: number;
  to: number;
  dark: boolean;
  onWindow: (from: number, to: number) => void;
  onZoomOut: () => void;
  /** The position of the crosshair on the common axis; null when it is away. */
  onCursor: (index: number | null) => void;
  /** The width of the plot in pixels, for how many points are worth asking for. */
  onWidth: (pixels: number) => void;
}

/** Most value axes drawn; the scales of further units stay, without an axis. */
const AXES_MAX = 4;
const AXES_MAX_NARROW = 2;
const NARROW_PX = 600;
/** A shorter drag is a click. */
const DRAG_PX_MIN = 6;
const FONT = '12px system-ui, "Segoe UI", "PingFang SC", "Microsoft YaHei", sans-serif';

export function Chart(props: ChartProps) {
  const { t } = useT();
  const { lines, data, from, to, dark } = props;
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  // What the chart's own listeners call is always the newest.
  const current = useRef(props);
  useEffect(() => {
    current.current = props;
  });
  const held = useRef(false);
  const shape = JSON.stringify([lines.map(({ hidden: _, ...line }) => line), dark]);

  // A chart stands until its lines or colours are others.
  useEffect(() => {
    const host = box.current;
    if (!host) return;
    const hand: Hand = {
      hold: (on) => (held.current = on),
      cursor: (index) => current.current.onCursor(index),
      select: (low, high) => current.current.onWindow(low, high),
      zoomOut: () => current.current.onZoomOut(),
      shaded: () => current.current.shaded ?? [],
    };
    const plot = new uPlot(
      options(current.current, host.clientWidth, host.clientHeight, hand),
      current.current.data as uPlot.AlignedData,
      host,
    );
    chart.current = plot;
    const moves: Moves = {
      preview: (low, high) => {
        held.current = true;
        plot.setScale('x', { min: low, max: high });
      },
      commit: (low, high) => {
        held.current = false;
        current.current.onWindow(low, high);
      },
    };
    const stop = listen(plot, moves);
    const sizes = new ResizeObserver(() => {
      plot.setSize({ width: host.clientWidth, height: host.clientHeight });
      current.current.onWidth(plot.bbox.width / devicePixelRatio);
    });
    sizes.observe(host);
    return () => {
      stop();
      sizes.disconnect();
      plot.destroy();
      chart.current = null;
    };
  }, [shape]);

  useEffect(() => {
    const plot = chart.current;
    if (!plot) return;
    plot.batch(() => {
      plot.setData(data as uPlot.AlignedData, false);
      if (!held.current) plot.setScale('x', { min: from, max: to });
      else plot.redraw();
    });
  }, [data, from, to, shape, props.shaded]);

  const hidden = lines.map((line) => line.hidden).join();
  useEffect(() => {
    current.current.lines.forEach((line, index) => {
      const plot = chart.current;
      if (plot && plot.series[index + 1]?.show === line.hidden)
        plot.setSeries(index + 1, { show: !line.hidden });
    });
  }, [hidden, shape]);

  const press = (event: KeyboardEvent) => {
    const plot = chart.current;
    if (!plot || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = (to - from) / 10;
    const moves: Record<string, () => void> = {
      ArrowLeft: () => (event.shiftKey ? props.onWindow(...shifted(from, to, -step)) : moveCursor(plot, -1)),
      ArrowRight: () => (event.shiftKey ? props.onWindow(...shifted(from, to, step)) : moveCursor(plot, 1)),
      '+': () => props.onWindow(...zoomed(from, to, (from + to) / 2, 0.5)),
      '=': () => props.onWindow(...zoomed(from, to, (from + to) / 2, 0.5)),
      '-': () => props.onZoomOut(),
      Escape: () => plot.setCursor({ left: -10, top: -10 }),
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    move();
  };
  return (
    // The chart answers to keys: it has to be reachable by them.
    <div
      className="chart"
      role="application"
      aria-label={t('trend.chart')}
      aria-describedby="chart-keys"
      tabIndex={0}
      onKeyDown={press}
    >
      <div ref={box} className="chart-box" />
      <p id="chart-keys" className="sr-only">
        {t('trend.keys')}
      </p>
    </div>
  );
}

/** The crosshair to the next or previous point of the common axis. */
function moveCursor(plot: uPlot, by: number): void {
  const times = plot.data[0];
  const at = plot.cursor.idx ?? (by < 0 ? times.length : -1);
  const time = times[Math.min(times.length - 1, Math.max(0, at + by))];
  if (time !== undefined) plot.setCursor({ left: plot.valToPos(time, 'x'), top: 0 });
}

/** What the chart tells about the mouse. */
interface Hand {
  /** A selection has begun or ended; the window must not move meanwhile. */
  hold: (on: boolean) => void;
  cursor: (index: number | null) => void;
  select: (from: number, to: number) => void;
  zoomOut: () => void;
  shaded: () => readonly (readonly [number, number])[];
}

/** Marks spans behind the lines. */
function shade(plot: uPlot, spans: readonly (readonly [number, number])[], colour: string): void {
  const { left, top, width, height } = plot.bbox;
  const within = (x: number) => Math.min(left + width, Math.max(left, x));
  plot.ctx.save();
  plot.ctx.fillStyle = colour;
  for (const [from, to] of spans) {
    const start = within(plot.valToPos(from, 'x', true));
    const end = Number.isFinite(to) ? within(plot.valToPos(to, 'x', true)) : left + width;
    // One bad sample between two good ones is seen, too.
    if (end > left && start < left + width) plot.ctx.fillRect(start, top, Math.max(2, end - start), height);
  }
  plot.ctx.restore();
}

function options({ lines, dark }: ChartProps, width: number, height: number, hand: Hand): uPlot.Options {
  const grid = dark ? '#2a353b' : '#e6eaed';
  const text = dark ? '#9aa8b0' : '#56636c';
  const scales = [...new Set(lines.map((line) => line.scale))];
  const axesMax = width < NARROW_PX ? AXES_MAX_NARROW : AXES_MAX;
  const axes = scales.filter((scale) => scale !== 'bool').slice(0, axesMax);
  return {
    width,
    height,
    legend: { show: false },
    padding: [14, axes.length > 1 ? 0 : 14, 0, axes.length > 0 ? 0 : 14],
    cursor: {
      drag: { x: true, y: false, setScale: false, dist: DRAG_PX_MIN },
      points: { size: 7 },
      bind: {
        // Shift and drag pans; a double click zooms out instead of showing everything.
        mousedown: (_plot, _target, handler) => (event: MouseEvent) => {
          if (event.button === 0 && !event.shiftKey) {
            hand.hold(true);
            handler(event);
          }
          return null;
        },
        mouseup: (_plot, _target, handler) => (event: MouseEvent) => {
          hand.hold(false);
          handler(event);
          return null;
        },
        dblclick: () => () => {
          hand.zoomOut();
          return null;
        },
      },
    },
    scales: {
      x: { time: true, auto: false },
      ...Object.fromEntries(
        scales.map((scale) => [
          scale,
          {
            range: (_plot: uPlot, low: number | null, high: number | null): uPlot.Range.MinMax =>
              scale === 'bool' ? [-0.1, 1.1] : paddedRange(low, high),
          },
        ]),
      ),
    },
    axes: [
      {
        stroke: text,
        font: FONT,
        grid: { stroke: grid, width: 1 },
        ticks: { stroke: grid, width: 1 },
        values: TIME_LABELS,
        space: 80,
      },
      ...axes.map((scale, index) => {
        const own = lines.filter((line) => line.scale === scale);
        const stroke = axes.length > 1 && own.length === 1 ? own[0]!.colour : text;
        return {
          scale,
          side: index === 0 ? 3 : 1,
          stroke,
          font: FONT,
          label: own[0]?.unit ?? '',
          labelSize: 20,
          labelFont: FONT,
          labelGap: 2,
          grid: { show: index === 0, stroke: grid, width: 1 },
          ticks: { stroke: grid, width: 1 },
          values: (_plot: uPlot, splits: number[]) => tickTexts(splits),
          size: (_plot: uPlot, values: string[] | null) =>
            18 + 7 * Math.max(2, ...(values ?? []).map((value) => value?.length ?? 0)),
        } satisfies uPlot.Axis;
      }),
    ],
    series: [
      {},
      ...lines.map((line): uPlot.Series => ({
        label: line.label,
        scale: line.scale,
        stroke: line.colour,
        width: 1.5,
        show: !line.hidden,
        points: { show: false },
        ...(line.stepped && uPlot.paths.stepped ? { paths: uPlot.paths.stepped({ align: 1 }) } : {}),
      })),
    ],
    hooks: {
      drawAxes: [
        (plot) => shade(plot, hand.shaded(), dark ? 'rgb(255 133 124 / 16%)' : 'rgb(179 38 30 / 11%)'),
      ],
      setCursor: [(plot) => hand.cursor(plot.cursor.idx ?? null)],
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          if (width < DRAG_PX_MIN) return;
          const from = plot.posToVal(left, 'x');
          const to = plot.posToVal(left + width, 'x');
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          hand.select(from, to);
        },
      ],
    },
  };
}
