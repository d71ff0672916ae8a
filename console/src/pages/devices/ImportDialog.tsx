import { useState } from 'react';
import { postText } from '../../api/client';
import type { ImportReport } from '../../api/types';
import { useT } from '../../i18n/i18n';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { Facts } from '../../ui/Page';
import { ProblemPanel } from '../../ui/Problem';
import { TableBox } from '../../ui/Table';

/** Largest file taken; the node refuses larger bodies anyway. */
const FILE_BYTES_MAX = 16 * 1024 * 1024;
/** Errors shown; a file with more is wrong as a whole. */
const ERRORS_SHOWN_MAX = 200;

const TYPE = 'text/csv; charset=utf-8';

/** Devices and points out of a file: what it would do is shown before it is done. */
export function ImportDialog({ onClose, onDone }: { onClose: () => void; onDone: (text: string) => void }) {
  const { t } = useT();
  const [text, setText] = useState<{ name: string; content: string }>();
  const [report, setReport] = useState<ImportReport>();
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const [tooLarge, setTooLarge] = useState(false);

  const look = async (file: File | undefined) => {
    if (!file) return;
    setReport(undefined);
    setError(undefined);
    setTooLarge(file.size > FILE_BYTES_MAX);
    if (file.size > FILE_BYTES_MAX) return;
    setBusy(true);
    try {
      const content = await file.text();
      setText({ name: file.name, content });
      setReport(await postText<ImportReport>('/devices/import?dry_run=true', TYPE, content));
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  const take = async () => {
    if (!text) return;
    setBusy(true);
    setError(undefined);
    try {
      const done = await postText<ImportReport>('/devices/import', TYPE, text.content);
      setReport(done);
      if (done.errors.length === 0) onDone(t('import.done', counts(done)));
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  const errors = report?.errors ?? [];
  return (
    <Dialog
      wide
      title={t('import.title')}
      onClose={onClose}
      actions={
        <>
          <Button label={t('action.cancel')} onClick={onClose} />
          <Button
            kind="primary"
            label={t('import.take')}
            busy={busy}
            disabled={!report || errors.length > 0}
            onClick={() => void take()}
          />
        </>
      }
    >
      <p className="muted">{t('import.about')}</p>
      <label className="import-file">
        <span className="button">{t('import.choose')}</span>
        <input
          type="file"
          accept=".csv,text/csv"
          onChange={(event) => {
            void look(event.target.files?.[0]);
            // The same file, corrected, can be chosen again.
            event.target.value = '';
          }}
        />
        <span>{text?.name}</span>
      </label>
      {tooLarge ? <p className="tone-bad">{t('import.tooLarge')}</p> : null}
      {error ? <ProblemPanel error={error} /> : null}
      {report ? (
        <>
          <Facts
            items={[
              [t('import.devicesCreated'), report.devices_created],
              [t('import.devicesChanged'), report.devices_changed],
              [t('import.pointsCreated'), report.points_created],
              [t('import.pointsChanged'), report.points_changed],
            ]}
          />
          {errors.length > 0 ? (
            <>
              <p className="tone-bad" role="alert">
                {t('import.errors', { count: report.errors_total })}
                {report.errors_total > Math.min(errors.length, ERRORS_SHOWN_MAX)
                  ? ` ${t('import.errorsShown', { shown: Math.min(errors.length, ERRORS_SHOWN_MAX) })}`
                  : null}
              </p>
              <TableBox label={t('paste.problem')}>
                <table className="table">
                  <thead>
                    <tr>
                      <th scope="col">{t('import.line')}</th>
                      <th scope="col">{t('import.column')}</th>
                      <th scope="col">{t('paste.problem')}</th>
                    </tr>
                  </thead>
                  <tbody>
                    {errors.slice(0, ERRORS_SHOWN_MAX).map((one, index) => (
                      <tr key={index}>
                        <td>{one.line}</td>
                        <td>
                          <code>{one.field}</code>
                        </td>
                        <td>{one.detail}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </TableBox>
            </>
          ) : (
            <p className="tone-good">{t('import.ready')}</p>
          )}
        </>
      ) : null}
    </Dialog>
  );
}

function counts(report: ImportReport): Record<string, number> {
  return {
    devices: report.devices_created + report.devices_changed,
    points: report.points_created + report.points_changed,
  };
}
