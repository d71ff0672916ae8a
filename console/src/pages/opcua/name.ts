/** The common name of a subject as RFC 4514 writes it (of several the last), else the whole. */
export function commonName(subject: string): string {
  const names = [...subject.matchAll(/(?:^|[,+]\s*)CN=((?:\\.|[^,+\\])+)/gi)];
  const name = names.at(-1)?.[1];
  return name === undefined ? subject || '–' : name.replace(/\\(.)/g, '$1').trim();
}
