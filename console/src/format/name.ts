// Names in the reader's language.

interface Named {
  name: string;
  names?: Record<string, string> | undefined;
}

/** The name in the language (`zh-CN` also finds `zh`), else the plain name. */
export function displayName(thing: Named, language: string): string {
  const names = thing.names;
  if (!names) return thing.name;
  const base = language.split('-')[0]!.toLowerCase();
  const near = Object.keys(names).find((key) => key.split('-')[0]!.toLowerCase() === base);
  return names[language] || (near && names[near]) || thing.name;
}
