import { useEffect, useRef, useState } from 'react';
import { useT } from '../i18n/i18n';
import { Icon } from './Icon';

/** How long typing pauses before the list is asked for again. */
const PAUSE_MS = 200;

/** A search input; `/` puts the focus into the first one of the page. */
export function SearchField({
  label,
  value,
  onChange,
}: {
  label: string;
  value: string;
  onChange: (text: string) => void;
}) {
  const { t } = useT();
  const [text, setText] = useState(value);
  const sent = useRef(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);

  // The address changed by other means than typing: "back", or a link.
  useEffect(() => {
    if (value === sent.current) return;
    sent.current = value;
    setText(value);
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);

  const send = (next: string, delay: number) => {
    setText(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      sent.current = next;
      onChange(next);
    }, delay);
  };
  return (
    <label className="search">
      <Icon name="search" />
      <span className="sr-only">{label}</span>
      <input
        type="search"
        data-search=""
        autoComplete="off"
        spellCheck={false}
        placeholder={label}
        value={text}
        onChange={(event) => send(event.target.value, PAUSE_MS)}
        onKeyDown={(event) => {
          if (event.key === 'Enter') send(text, 0);
          if (event.key === 'Escape' && text) send('', 0);
        }}
      />
      {text ? null : (
        <kbd aria-hidden="true" title={t('search.key')}>
          /
        </kbd>
      )}
    </label>
  );
}
