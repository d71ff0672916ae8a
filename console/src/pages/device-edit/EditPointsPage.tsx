import { useMemo, useState } from 'react';
import { Link } from 'wouter';
import { useAssets } from '../../api/queries';
import { useMay } from '../../api/session';
import type { BrowseItem } from '../../api/types';
import { CallDialog } from '../../device/CallDialog';
import { DeviceFailure } from '../../device/DeviceFailure';
import { deviceDraft, deviceText } from '../../device/draft';
import { useDeviceTest } from '../../device/deviceTest';
import { ValueSource } from '../../device/ValueSource';
import { displayName } from '../../format/name';
import { useT } from '../../i18n/i18n';
import { PointsTable } from '../../points/PointsTable';
import { pointOf, pointsErrors, type PointErrors, type PointText } from '../../points/points';
import { Button } from '../../ui/Button';
import { useDraft } from '../../ui/draft';
import { PageHead } from '../../ui/Page';
import { fieldError } from '../../ui/Problem';
import { useSearchState } from '../../url/search';
import { DeviceToEdit, type DeviceToEditProps } from './DeviceToEdit';
import { useSave } from './save';
import './device-edit.css';

const NO_ERRORS: ReadonlyMap<number, PointErrors> = new Map();

/** The points of a device as a table, and what more the device offers. */
export default function EditPointsPage() {
  const { t } = useT();
  return <DeviceToEdit title={t('points.title')} form={(props) => <EditPoints {...props} />} />;
}

interface Points {
  points: PointText[];
  nextKey: number;
}

function EditPoints(props: DeviceToEditProps) {
  const { device, schema } = props;
  const { t, language } = useT();
  const may = useMay();
  const [search, setSearch] = useSearchState();
  const assets = useAssets();
  const [initial] = useState(() => deviceText(device.protocol, schema, device));
  const draft = useDraft<Points>(`points.${device.id}`, { points: initial.points, nextKey: initial.nextKey });
  const { points, nextKey } = draft.value;
  const [checked, setChecked] = useState(false);
  const saving = useSave(props, draft.forget);
  const [calling, setCalling] = useState<BrowseItem>();
  const adding = search.get('add') !== null;
  const errors = useMemo(() => pointsErrors(points, schema.address), [points, schema]);
  const test = useDeviceTest(() =>
    errors.size > 0
      ? undefined
      : { ...deviceDraft({ ...initial, points }, schema, device, new Date()), id: device.id, names: {} },
  );
  const problem = saving.error ?? test.error;
  const place = useMemo(
    () => ({ protocol: device.protocol, settings: device.settings, device: device.id }),
    [device],
  );
  const change = (next: PointText[], key: number) => draft.change({ points: next, nextKey: key });
  const save = async () => {
    saving.clear();
    setChecked(true);
    if (errors.size > 0) {
      setSearch({ add: null });
      requestAnimationFrame(() => document.querySelector<HTMLElement>('main [aria-invalid]')?.focus());
      return;
    }
    test.stop();
    const now = new Date();
    await saving.save({ points: points.map((point) => pointOf(point, schema.address, now)) });
  };
  const gone = initial.points.filter((point) => !points.some((one) => one.id === point.id)).length;
  return (
    <div className="device-form">
      <PageHead
        title={t('points.titleOf', { name: displayName(device, language) })}
        note={<code>{device.id}</code>}
      />
      {draft.restored ? (
        <p className="banner banner-calm">
          {t('state.restored')}
          <Button
            kind="quiet"
            label={t('action.discard')}
            onClick={() => draft.discard({ points: initial.points, nextKey: initial.nextKey })}
          />
        </p>
      ) : null}
      <section className="card" aria-label={t('points.title')}>
        <header className="card-head">
          <h2>
            {adding ? t('points.addTitle') : t('points.title')}{' '}
            <small className="muted">{points.length}</small>
          </h2>
          {adding ? (
            <Button kind="primary" label={t('points.toTable')} onClick={() => setSearch({ add: null })} />
          ) : (
            <>
              <Button
                icon={test.running === 'live' ? 'pause' : 'eye'}
                label={test.running === 'live' ? t('device.previewStop') : t('device.preview')}
                aria-pressed={test.running === 'live'}
                disabled={points.length === 0}
                onClick={() => (test.running === 'live' ? test.stop() : test.live())}
              />
              <Button icon="plus" label={t('points.addMore')} onClick={() => setSearch({ add: '1' })} />
            </>
          )}
        </header>
        {adding ? (
          <ValueSource
            place={place}
            schema={schema}
            points={points}
            nextKey={nextKey}
            onChange={change}
            onCall={schema.abilities.call && may('device:control') ? setCalling : undefined}
          />
        ) : points.length > 0 ? (
          <PointsTable
            points={points}
            nextKey={nextKey}
            schema={schema.address}
            writes={schema.abilities.write}
            errors={checked ? errors : NO_ERRORS}
            said={(index, pointer) => fieldError(problem, `/points/${index}${pointer}`)}
            values={test.report?.values}
            assets={assets.data?.items ?? []}
            onChange={change}
          />
        ) : (
          <p className="muted">{t('points.none')}</p>
        )}
      </section>
      {problem ? <DeviceFailure error={problem} placed={(field) => field.startsWith('/points/')} /> : null}
      {saving.isConflict ? <p>{t('device.conflictAdvice')}</p> : null}
      <footer className="form-bar">
        <div className="form-said" role="status">
          {checked && errors.size > 0 ? (
            <p className="tone-bad">{t('state.fieldsWrong', { count: errors.size })}</p>
          ) : null}
          {gone > 0 ? <p className="tone-warn">{t('points.gone', { count: gone })}</p> : null}
        </div>
        <div className="form-foot">
          <Link href={saving.page} className="button button-plain">
            {t('action.cancel')}
          </Link>
          <Button kind="primary" label={t('action.save')} busy={saving.busy} onClick={() => void save()} />
        </div>
      </footer>
      {calling ? (
        <CallDialog device={device.id} item={calling} onClose={() => setCalling(undefined)} />
      ) : null}
    </div>
  );
}
