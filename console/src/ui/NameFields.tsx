import { useT } from '../i18n/i18n';
import { TextField } from './Field';

/** A name in both languages. */
export interface NamePair {
  zh: string;
  en: string;
}

export function pairOf(thing: { name: string; names?: Record<string, string> }): NamePair {
  const find = (language: string) =>
    Object.entries(thing.names ?? {}).find(([key]) => key.toLowerCase().startsWith(language))?.[1] ?? '';
  const pair = { zh: find('zh'), en: find('en') };
  if (thing.name === pair.zh || thing.name === pair.en) return pair;
  // The plain name is the one in the language that has no name of its own.
  return /\p{Script=Han}/u.test(thing.name)
    ? { ...pair, zh: pair.zh || thing.name }
    : { ...pair, en: pair.en || thing.name };
}

/**
 * What the API wants: the plain name and the names by language. The plain name stays in the
 * language it is in; a name that was taken away is `null` in a change of `before`.
 */
export function namesOf(
  pair: NamePair,
  before?: { name: string; names?: Record<string, string> },
): { name: string; names: Record<string, string | null> } {
  const zh = pair.zh.trim();
  const en = pair.en.trim();
  const chinesePlain =
    before !== undefined && pairOf(before).en !== before.name && pairOf(before).zh === before.name;
  const names: Record<string, string | null> = {};
  const put = (language: string, name: string) => {
    const known = Object.keys(before?.names ?? {}).find((key) =>
      key.toLowerCase().startsWith(language.slice(0, 2)),
    );
    if (name) names[known ?? language] = name;
    else if (known) names[known] = null;
  };
  put('zh-CN', zh);
  put('en', en);
  return { name: chinesePlain ? zh || en : en || zh, names };
}

export function NameFields({
  value,
  onChange,
  error,
}: {
  value: NamePair;
  onChange: (value: NamePair) => void;
  error?: string | undefined;
}) {
  const { t, language } = useT();
  const none = value.zh.trim() === '' && value.en.trim() === '';
  // The reader's own language comes first.
  const [first, second] = language === 'en' ? (['en', 'zh'] as const) : (['zh', 'en'] as const);
  const field = (which: keyof NamePair) => (
    <TextField
      key={which}
      label={which === 'zh' ? t('field.nameZh') : t('field.nameEn')}
      value={value[which]}
      required={none}
      onChange={(name) => onChange({ ...value, [which]: name })}
      error={which === first ? error : undefined}
      lang={which === 'zh' ? 'zh-CN' : 'en'}
    />
  );
  return (
    <>
      {field(first)}
      {field(second)}
    </>
  );
}
