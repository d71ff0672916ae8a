// The way through the wizard.
import type { DeviceText } from '../../device/draft';

export const STEPS = ['protocol', 'connection', 'values', 'finish'] as const;
export type Step = (typeof STEPS)[number];

/** How far one may go with what stands in the form. */
export function reachable(text: DeviceText | undefined, settingsWrong: boolean): Step {
  if (!text) return 'protocol';
  return settingsWrong ? 'connection' : 'finish';
}

/** The step that the address asks for, or the last one that may be gone to. */
export function stepOf(asked: string | null, text: DeviceText | undefined, settingsWrong: boolean): Step {
  const wanted = STEPS.find((step) => step === asked) ?? 'protocol';
  const last = reachable(text, settingsWrong);
  return STEPS.indexOf(wanted) <= STEPS.indexOf(last) ? wanted : last;
}

export function nextStep(step: Step): Step {
  return STEPS[Math.min(STEPS.indexOf(step) + 1, STEPS.length - 1)]!;
}

export function stepBefore(step: Step): Step {
  return STEPS[Math.max(STEPS.indexOf(step) - 1, 0)]!;
}
