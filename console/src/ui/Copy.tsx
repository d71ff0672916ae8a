import { useT } from '../i18n/i18n';
import { Button } from './Button';
import { useToast } from './Toast';

/** A text with a button that copies it. */
export function Copyable({ text }: { text: string }) {
  const { t } = useT();
  const say = useToast();
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      say(t('state.copied'));
    } catch {
      // Without a secure context there is no clipboard; the text can still be selected.
      say(t('state.notCopied'));
    }
  };
  return (
    <span className="copyable">
      <code>{text}</code>
      <Button kind="quiet" icon="copy" iconOnly label={t('action.copy')} onClick={() => void copy()} />
    </span>
  );
}
