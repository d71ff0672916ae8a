import { useQuery } from '@tanstack/react-query';
import { useId, useState } from 'react';
import { get, withQuery } from '../../api/client';
import type { Page, Tag } from '../../api/types';
import { displayName } from '../../format/name';
import { useT } from '../../i18n/i18n';
import { Icon } from '../../ui/Icon';
import { ValueText } from '../../ui/Status';

/** Suggestions at once. */
const SUGGESTIONS_MAX = 12;

interface TagPickerProps {
  label: string;
  taken: readonly string[];
  disabled?: boolean;
  onPick: (tag: Tag) => void;
}

/** Type a few letters, choose a tag. */
export function TagPicker({ label, taken, disabled = false, onPick }: TagPickerProps) {
  const { t, language } = useT();
  const id = useId();
  const [text, setText] = useState('');
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(0);
  const found = useQuery({
    queryKey: ['tags', 'suggest', text.trim()],
    queryFn: ({ signal }) =>
      get<Page<Tag>>(withQuery('/tags', { q: text.trim(), limit: SUGGESTIONS_MAX, sort: 'name' }), signal),
    enabled: open,
    placeholderData: (before) => before,
  });
  const items = (found.data?.items ?? []).filter((tag) => !taken.includes(tag.id));
  const pick = (tag: Tag | undefined) => {
    if (!tag) return;
    onPick(tag);
    setText('');
    setAt(0);
  };
  return (
    <div className="picker">
      <div className="search">
        <Icon name="plus" />
        <input
          type="text"
          role="combobox"
          data-search=""
          aria-label={label}
          aria-expanded={open}
          aria-controls={`${id}-list`}
          aria-autocomplete="list"
          aria-activedescendant={open && items[at] ? `${id}-${at}` : undefined}
          placeholder={label}
          autoComplete="off"
          spellCheck={false}
          disabled={disabled}
          value={text}
          onFocus={() => setOpen(true)}
          onBlur={() => setOpen(false)}
          onChange={(event) => {
            setText(event.target.value);
            setAt(0);
            setOpen(true);
          }}
          onKeyDown={(event) => {
            if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
              event.preventDefault();
              setOpen(true);
              setAt(
                (now) =>
                  (now + (event.key === 'ArrowDown' ? 1 : items.length - 1)) % Math.max(1, items.length),
              );
            } else if (event.key === 'Enter' && open) {
              event.preventDefault();
              pick(items[at]);
            } else if (event.key === 'Escape') {
              setOpen(false);
            }
          }}
        />
        {text ? null : <kbd aria-hidden="true">/</kbd>}
      </div>
      {open && found.data ? (
        // The pointer must not take the focus away before the click arrives.
        <ul
          id={`${id}-list`}
          role="listbox"
          className="picker-list"
          aria-label={label}
          onMouseDown={(event) => event.preventDefault()}
        >
          {items.length === 0 ? <li className="muted picker-none">{t('trend.noTag')}</li> : null}
          {items.map((tag, index) => (
            <li
              key={tag.id}
              id={`${id}-${index}`}
              role="option"
              aria-selected={index === at}
              onMouseEnter={() => setAt(index)}
              onClick={() => pick(tag)}
            >
              <span>
                {displayName(tag, language)}
                <small>{tag.id}</small>
              </span>
              <ValueText tag={tag} sample={tag.last} />
            </li>
          ))}
        </ul>
      ) : null}
    </div>
  );
}
