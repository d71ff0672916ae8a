import { Link } from 'wouter';
import type { Tag } from '../../api/types';
import { displayName } from '../../format/name';
import { formatNumber, formatValue } from '../../format/value';
import { useT } from '../../i18n/i18n';
import { Button } from '../../ui/Button';
import { TableBox } from '../../ui/Table';
import { unitText } from '../../ui/Status';
import { href } from '../../url/search';
import type { Extent } from './series';

export interface LegendRow {
  id: string;
  tag: Tag | undefined;
  colour: string;
  hidden: boolean;
  /** At the crosshair, or the newest. */
  value: number | null;
  extent: Extent | null;
  failed: boolean;
}

interface LegendProps {
  rows: readonly LegendRow[];
  /** The crosshair's time, when it is on the chart. */
  at: string | null;
  onToggle: (id: string) => void;
  onRemove: (id: string) => void;
  onRaw: (id: string) => void;
}

/** The tags of the trend with their values under the crosshair. */
export function Legend({ rows, at, onToggle, onRemove, onRaw }: LegendProps) {
  const { t, language } = useT();
  return (
    <TableBox label={t('trend.legend')}>
      <table className="table legend">
        <thead>
          <tr>
            <th scope="col">{t('tags.name')}</th>
            <th scope="col" className="number-cell">
              {at ?? t('trend.newest')}
            </th>
            <th scope="col" className="number-cell">
              {t('trend.low')}
            </th>
            <th scope="col" className="number-cell">
              {t('trend.high')}
            </th>
            <th scope="col">
              <span className="sr-only">{t('state.actions')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => {
            const name = row.tag ? displayName(row.tag, language) : row.id;
            const unit = row.tag ? unitText(row.tag) : '';
            return (
              <tr key={row.id} className={row.hidden ? 'legend-hidden' : undefined}>
                <th scope="row">
                  <button
                    type="button"
                    className="swatch"
                    aria-pressed={!row.hidden}
                    title={row.hidden ? t('trend.showLine') : t('trend.hideLine')}
                    onClick={() => onToggle(row.id)}
                  >
                    <span style={{ background: row.colour }} />
                    <span className="sr-only">{t('trend.lineShown', { name })}</span>
                  </button>
                  <Link href={href('/tag', { id: row.id })} title={row.id}>
                    {name}
                  </Link>
                  {row.failed ? <span className="mark tone-bad"> {t('trend.failed')}</span> : null}
                </th>
                <td className="number-cell">
                  <span className="value">
                    <span className="value-number">
                      {row.value === null ? '–' : shown(row.value, row.tag)}
                    </span>
                    <span className="value-unit">{unit}</span>
                  </span>
                </td>
                <td className="number-cell">{row.extent ? shown(row.extent.low, row.tag) : '–'}</td>
                <td className="number-cell">{row.extent ? shown(row.extent.high, row.tag) : '–'}</td>
                <td className="action-cell">
                  <Button
                    kind="quiet"
                    icon="download"
                    iconOnly
                    label={t('trend.raw', { name })}
                    onClick={() => onRaw(row.id)}
                  />
                  <Button
                    kind="quiet"
                    icon="close"
                    iconOnly
                    label={t('trend.remove', { name })}
                    onClick={() => onRemove(row.id)}
                  />
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </TableBox>
  );
}

function shown(value: number, tag: Tag | undefined): string {
  if (tag?.data_type === 'bool') return formatValue(value >= 0.5);
  return tag?.data_type === 'enumeration' ? formatValue(value, tag) : formatNumber(value, tag?.range);
}
