import type { ReactNode } from 'react';
import { useT } from '../../i18n/i18n';
import { Button } from '../../ui/Button';

interface WizardFootProps {
  onBack: () => void;
  next: string;
  busy?: boolean;
  disabled?: boolean;
  children?: ReactNode;
}

/** Back and on; Enter goes on. */
export function WizardFoot({ onBack, next, busy = false, disabled = false, children }: WizardFootProps) {
  const { t } = useT();
  return (
    <footer className="wizard-foot">
      <Button icon="left" label={t('action.back')} onClick={onBack} />
      <span className="spring">{children}</span>
      <Button kind="primary" type="submit" label={next} busy={busy} disabled={disabled} />
    </footer>
  );
}
