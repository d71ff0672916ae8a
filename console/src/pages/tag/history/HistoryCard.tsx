import { useMemo, useState } from 'react';
import { send } from '../../../api/client';
import type { Tag } from '../../../api/types';
import { downloadCsv, fileName } from '../../../csv/csv';
import { parseDuration } from '../../../format/time';
import { unitsLike } from '../../../format/units';
import { useT } from '../../../i18n/i18n';
import { useDark } from '../../../shell/theme';
import { Button } from '../../../ui/Button';
import { SelectField, TextField } from '../../../ui/Field';
import { fieldError, ProblemPanel } from '../../../ui/Problem';
import { unitText } from '../../../ui/Status';
import { useSearchState } from '../../../url/search';
import { fixedWindow, parseTrend, trendParameters, type Window } from '../../../url/trend';
import { Chart, type Line } from '../../trend/Chart';
import { zoomed } from '../../trend/gestures';
import { useLines } from '../../trend/history';
import { isStepped, lineColour } from '../../trend/look';
import { align, badSpans, EMPTY } from '../../trend/series';
import '../../trend/trend.css';
import { AggregateTable } from './AggregateTable';
import { aggregatesPath, seriesOfRows, useAggregates, type Asked } from './aggregates';
import './history.css';
import {
  DRAWN,
  functionsOf,
  parseFunctions,
  usualWidth,
  widthsFor,
  widthText,
  type AggregateFunction,
} from './intervals';
import { WindowBar } from '../../trend/WindowBar';

/** One interval for the whole range, in the address. */
const WHOLE = 'whole';

/** A tag's samples as a line with aggregates beside it, and these as a table. The address holds the view. */
export function HistoryCard({ tag }: { tag: Tag }) {
  const { t } = useT();
  const dark = useDark();
  const [search, setSearch] = useSearchState();
  const window = useMemo(() => parseTrend(search).window, [search]);
  const unit = search.get('unit') ?? '';
  const functions = parseFunctions(search.get('fn'), tag.data_type);
  const [pixels, setPixels] = useState(0);
  const [failure, setFailure] = useState<unknown>();
  const hasLine = tag.data_type !== 'text';
  const lines = useLines(hasLine ? [tag.id] : [], window, pixels, unit);
  const { from, to } = lines;
  const span = Math.round(to - from);
  const named = search.get('width') ?? '';
  const chosen = named === WHOLE ? undefined : (parseDuration(named) ?? usualWidth(span));
  const asked: Asked = { tag: tag.id, window, width: chosen, functions, unit };
  const rows = useAggregates(asked);
  const setWindow = (next: Window) => {
    const { range, from, to } = trendParameters({ tags: [], hidden: [], window: next });
    setSearch({ range, from, to }, true);
  };
  const raw = lines.series[0] ?? EMPTY;
  const drawn = hasLine ? DRAWN.filter((name) => functions.includes(name)) : [];
  const shownUnit = unit || unitText(tag);
  const line = (id: string, label: string, index: number, stepped: boolean): Line => ({
    id,
    label,
    unit: shownUnit,
    scale: 'unit:',
    colour: lineColour(index, dark),
    stepped,
    hidden: false,
  });
  const chartLines = [
    line(tag.id, t('tags.value'), 0, isStepped(tag)),
    ...drawn.map((name, index) => line(name, t(`aggregate.${name}`), index + 1, true)),
  ];
  const drawnNames = drawn.join();
  const data = useMemo(() => {
    const names = DRAWN.filter((name) => drawnNames.split(',').includes(name));
    return align([raw, ...names.map((name) => seriesOfRows(rows.data ?? [], name, to))]);
  }, [raw, rows.data, drawnNames, to]);
  const bad = useMemo(() => badSpans(raw), [raw]);
  const fix = (low: number, high: number) => setWindow(fixedWindow(low, high));
  const exportCsv = async () => {
    setFailure(undefined);
    try {
      const answer = await send('GET', aggregatesPath(asked), { accept: 'text/csv' });
      downloadCsv(
        fileName(`${tag.id}-${chosen ? widthText(chosen) : WHOLE}`, new Date()),
        await answer.text(),
      );
    } catch (error) {
      setFailure(error);
    }
  };
  const toggle = (name: AggregateFunction) => {
    const next = functionsOf(tag.data_type).filter((one) => functions.includes(one) !== (one === name));
    if (next.length > 0) setSearch({ fn: next.join(',') }, true);
  };
  const error = failure ?? rows.error ?? [...lines.errors.values()][0];
  const unitError = fieldError(error, 'unit');
  return (
    <section className="card tag-history" aria-label={t('history.title')}>
      <div className="card-head">
        <h2>{t('history.title')}</h2>
        <WindowBar window={window} ends={[from, to]} onWindow={setWindow} />
      </div>
      <div className="history-choices">
        <SelectField
          label={t('history.width')}
          value={named}
          onChange={(width) => setSearch({ width }, true)}
        >
          <option value="">{t('history.widthAuto', { width: widthText(usualWidth(span)) })}</option>
          {widthsFor(span).map((width) => (
            <option key={width} value={widthText(width)}>
              {widthText(width)}
            </option>
          ))}
          <option value={WHOLE}>{t('history.widthWhole')}</option>
        </SelectField>
        {tag.unit && hasLine ? (
          <UnitField
            key={unit}
            own={tag.unit}
            unit={unit}
            error={unitError}
            onUnit={(next) => setSearch({ unit: next === tag.unit ? null : next }, true)}
          />
        ) : null}
        <fieldset className="history-functions">
          <legend>{t('history.functions')}</legend>
          {functionsOf(tag.data_type).map((name) => (
            <label key={name} className="check">
              <input type="checkbox" checked={functions.includes(name)} onChange={() => toggle(name)} />
              <span>{t(`aggregate.${name}`)}</span>
            </label>
          ))}
        </fieldset>
      </div>
      {error && !unitError ? (
        <ProblemPanel
          error={error}
          retry={() => {
            setFailure(undefined);
            lines.refetch();
            void rows.refetch();
          }}
        />
      ) : null}
      {hasLine ? (
        <>
          <div className="history-chart" aria-busy={lines.loading}>
            <Chart
              lines={chartLines}
              data={data}
              shaded={bad}
              from={from}
              to={to}
              dark={dark}
              onWindow={fix}
              onZoomOut={() => fix(...zoomed(from, to, (from + to) / 2, 2))}
              onCursor={() => {}}
              onWidth={setPixels}
            />
            {lines.loading ? (
              <span className="spinner chart-spinner" role="status" aria-label={t('state.loading')} />
            ) : null}
            {!lines.loading && data[0].length === 0 && !error ? (
              <p className="chart-none">{t('trend.noSamples')}</p>
            ) : null}
          </div>
          <ul className="history-legend">
            {chartLines.map((one) => (
              <li key={one.id}>
                <span style={{ background: one.colour }} aria-hidden="true" />
                {one.label}
              </li>
            ))}
            {bad.length > 0 ? (
              <li>
                <span className="history-bad" aria-hidden="true" />
                {t('history.shaded')}
              </li>
            ) : null}
          </ul>
        </>
      ) : null}
      <div className="card-head">
        <h3>{t('history.aggregates')}</h3>
        <Button icon="download" label={t('action.exportCsv')} onClick={() => void exportCsv()} />
      </div>
      <AggregateTable
        tag={tag}
        unit={shownUnit}
        functions={functions}
        rows={rows.data ?? []}
        loading={rows.isPending}
        failed={rows.isError}
      />
    </section>
  );
}

/** Which unit the readings are wanted in: one of those that plants use, or any UCUM code. */
function UnitField({
  own,
  unit,
  error,
  onUnit,
}: {
  own: string;
  unit: string;
  error: string | undefined;
  onUnit: (unit: string) => void;
}) {
  const { t } = useT();
  const [typed, setTyped] = useState(unit || own);
  const take = (text: string) => {
    const next = text.trim() || own;
    if (next !== (unit || own)) onUnit(next);
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        take(typed);
      }}
    >
      <TextField
        label={t('history.unit')}
        hint={t('history.unitHint')}
        error={error}
        list="history-units"
        value={typed}
        onChange={(text) => {
          setTyped(text);
          // One chosen from the list is meant; one being typed may go on.
          if (text === own || unitsLike(own).includes(text)) take(text);
        }}
        onBlur={() => take(typed)}
      />
      <datalist id="history-units">
        <option value={own}>{t('history.asMeasured', { unit: own })}</option>
        {unitsLike(own).map((code) => (
          <option key={code} value={code} />
        ))}
      </datalist>
    </form>
  );
}
