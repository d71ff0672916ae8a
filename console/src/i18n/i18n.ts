// Languages, switched while the page stands.
import { createInstance, type TFunction } from 'i18next';
import { useMemo, useSyncExternalStore } from 'react';
import type { Messages } from './en';

export type Language = 'en' | 'zh-CN';
export const LANGUAGES: readonly { code: Language; name: string }[] = [
  { code: 'zh-CN', name: '中文' },
  { code: 'en', name: 'English' },
];

/** Every message's key, `page.word`. */
export type Key = Leaves<Messages>;
type Leaves<T> = {
  [K in keyof T & string]: T[K] extends string ? K : `${K}.${Leaves<T[K]>}`;
}[keyof T & string];

export type Translate = (key: Key, values?: Record<string, string | number>) => string;

const LANGUAGE_KEY = 'weir.language';

// Only the language that is shown is fetched.
const loaders: Record<Language, () => Promise<{ default: Messages }>> = {
  en: () => import('./en'),
  'zh-CN': () => import('./zh-CN'),
};

const instance = createInstance();
const listeners = new Set<() => void>();
let current: Language = 'en';

/** The language chosen before, else the browser's. */
export function preferredLanguage(): Language {
  const chosen = localStorage.getItem(LANGUAGE_KEY);
  if (chosen === 'en' || chosen === 'zh-CN') return chosen;
  return navigator.languages.some((language) => /^zh/i.test(language)) ? 'zh-CN' : 'en';
}

export async function startLanguage(): Promise<void> {
  await instance.init({
    lng: current,
    fallbackLng: false,
    resources: {},
    interpolation: { escapeValue: false },
  });
  await showLanguage(preferredLanguage());
}

async function showLanguage(language: Language): Promise<void> {
  if (!instance.hasResourceBundle(language, 'translation')) {
    const messages = await loaders[language]();
    instance.addResourceBundle(language, 'translation', messages.default);
  }
  await instance.changeLanguage(language);
  current = language;
  document.documentElement.lang = language;
  listeners.forEach((changed) => changed());
}

/** Switches the language and remembers it. */
export async function chooseLanguage(language: Language): Promise<void> {
  await showLanguage(language);
  localStorage.setItem(LANGUAGE_KEY, language);
}

function subscribe(changed: () => void): () => void {
  listeners.add(changed);
  return () => listeners.delete(changed);
}

export function useLanguage(): Language {
  return useSyncExternalStore(subscribe, () => current);
}

export function useT(): { t: Translate; language: Language } {
  const language = useLanguage();
  return useMemo(() => {
    const fixed = instance.getFixedT(language) as TFunction;
    return { t: (key, values) => fixed(key, values ?? {}), language };
  }, [language]);
}
