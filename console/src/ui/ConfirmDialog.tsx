import { useState, type ReactNode } from 'react';
import { useT } from '../i18n/i18n';
import { Button } from './Button';
import { Dialog } from './Dialog';
import { ProblemPanel } from './Problem';

interface ConfirmDialogProps {
  title: string;
  text: ReactNode;
  action: string;
  danger?: boolean;
  /** Does it; the dialog stays with the reason when that fails. */
  onConfirm: () => Promise<void>;
  onClose: () => void;
}

export function ConfirmDialog({
  title,
  text,
  action,
  danger = false,
  onConfirm,
  onClose,
}: ConfirmDialogProps) {
  const { t } = useT();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const confirm = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await onConfirm();
      onClose();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={title}
      onClose={onClose}
      actions={
        <>
          <Button label={t('action.cancel')} onClick={onClose} />
          <Button
            kind={danger ? 'danger' : 'primary'}
            label={action}
            busy={busy}
            onClick={() => void confirm()}
          />
        </>
      }
    >
      {typeof text === 'string' ? <p>{text}</p> : text}
      {error ? <ProblemPanel error={error} /> : null}
    </Dialog>
  );
}
