// One snapshot as a line over its elements.
import { useEffect, useRef, useState, type KeyboardEvent } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useT } from '../../../i18n/i18n';
import { Button } from '../../../ui/Button';
import { lineColour, paddedRange, tickTexts } from '../../trend/look';
import { decimate } from './decimate';

/** A shorter drag is a click. */
const DRAG_PX_MIN = 6;
const FONT = '12px system-ui, "Segoe UI", "PingFang SC", "Microsoft YaHei", sans-serif';

export function Waveform({
  values,
  unit,
  dark,
  onKey,
}: {
  values: Float64Array;
  unit: string;
  dark: boolean;
  onKey: (event: KeyboardEvent) => void;
}) {
  const { t } = useT();
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const [width, setWidth] = useState(0);
  // The part that is shown stays while one steps through snapshots of one length.
  const [part, setPart] = useState<readonly [number, number] | null>(null);
  const [from, to] = part ?? [0, Math.max(1, values.length - 1)];

  useEffect(() => {
    const host = box.current;
    if (!host) return;
    const grid = dark ? '#2a353b' : '#e6eaed';
    const text = dark ? '#9aa8b0' : '#56636c';
    const axis = {
      stroke: text,
      font: FONT,
      grid: { stroke: grid, width: 1 },
      ticks: { stroke: grid, width: 1 },
    };
    const plot = new uPlot(
      {
        width: host.clientWidth,
        height: host.clientHeight,
        legend: { show: false },
        padding: [14, 14, 0, 0],
        cursor: {
          drag: { x: true, y: false, setScale: false, dist: DRAG_PX_MIN },
          bind: {
            dblclick: () => () => {
              setPart(null);
              return null;
            },
          },
        },
        scales: {
          x: { time: false, auto: false },
          y: { range: (_plot, low, high): uPlot.Range.MinMax => paddedRange(low, high) },
        },
        axes: [
          { ...axis, values: (_plot, splits) => tickTexts(splits) },
          {
            ...axis,
            label: unit,
            labelSize: 20,
            labelFont: FONT,
            values: (_plot, splits) => tickTexts(splits),
            size: (_plot: uPlot, texts: string[] | null) =>
              18 + 7 * Math.max(2, ...(texts ?? []).map((one) => one?.length ?? 0)),
          },
        ],
        series: [{}, { stroke: lineColour(0, dark), width: 1, points: { show: false } }],
        hooks: {
          setSelect: [
            (plot) => {
              const { left, width } = plot.select;
              if (width < DRAG_PX_MIN) return;
              const ends = [plot.posToVal(left, 'x'), plot.posToVal(left + width, 'x')] as const;
              plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
              if (ends[1] - ends[0] >= 2) setPart(ends);
            },
          ],
        },
      },
      [[], []],
      host,
    );
    chart.current = plot;
    const sizes = new ResizeObserver(() => {
      plot.setSize({ width: host.clientWidth, height: host.clientHeight });
      setWidth(Math.round(plot.bbox.width / devicePixelRatio));
    });
    sizes.observe(host);
    return () => {
      sizes.disconnect();
      plot.destroy();
      chart.current = null;
    };
  }, [dark, unit]);

  useEffect(() => {
    const plot = chart.current;
    if (!plot || width <= 0) return;
    plot.batch(() => {
      // One element beyond each end, so that the line leaves the picture.
      plot.setData(decimate(values, from - 1, to + 2, width), false);
      plot.setScale('x', { min: from, max: to });
    });
  }, [values, from, to, width, dark, unit]);

  return (
    // It answers to keys: it has to be reachable by them.
    <div
      className="chart waveform"
      role="application"
      aria-label={t('waveform.chart')}
      tabIndex={0}
      onKeyDown={onKey}
    >
      <div ref={box} className="chart-box" />
      {part ? (
        <Button
          className="waveform-whole"
          icon="zoomOut"
          label={t('waveform.whole')}
          onClick={() => setPart(null)}
        />
      ) : null}
    </div>
  );
}
