import { useState, type FormEvent } from 'react';
import { formatZone, toLocalInput } from '../../format/time';
import { useT } from '../../i18n/i18n';
import { Button } from '../../ui/Button';
import { Dialog } from '../../ui/Dialog';
import { TextField } from '../../ui/Field';

interface RangeDialogProps {
  from: number;
  to: number;
  onClose: () => void;
  onRange: (from: number, to: number) => void;
}

/** From when to when, in the reader's own zone. */
export function RangeDialog({ from, to, onClose, onRange }: RangeDialogProps) {
  const { t } = useT();
  const [low, setLow] = useState(toLocalInput(from * 1000));
  const [high, setHigh] = useState(toLocalInput(to * 1000));
  const start = new Date(low).getTime() / 1000;
  const end = new Date(high).getTime() / 1000;
  const wrong = !(end > start);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!wrong) onRange(start, end);
  };
  return (
    <Dialog title={t('trend.custom')} onClose={onClose}>
      <form className="form" onSubmit={submit}>
        <TextField
          type="datetime-local"
          step={1}
          label={t('trend.from')}
          value={low}
          onChange={setLow}
          required
          autoFocus
        />
        <TextField
          type="datetime-local"
          step={1}
          label={t('trend.to')}
          hint={formatZone(new Date())}
          error={wrong ? t('trend.rangeWrong') : undefined}
          value={high}
          onChange={setHigh}
          required
        />
        <div className="form-foot">
          <Button label={t('action.cancel')} onClick={onClose} />
          <Button kind="primary" type="submit" label={t('trend.show')} />
        </div>
      </form>
    </Dialog>
  );
}
