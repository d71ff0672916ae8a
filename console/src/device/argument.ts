import type { Json } from '../api/types';

/** What was typed as an argument of a method: JSON where it is some, else the text itself. */
export function argumentOf(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
