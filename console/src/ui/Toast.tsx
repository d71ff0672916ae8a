import { createContext, useCallback, useContext, useMemo, useRef, useState, type ReactNode } from 'react';
import { useT } from '../i18n/i18n';
import { Button } from './Button';

/** How long a message stays. */
const STAY_MS = 6_000;
/** Most messages at once. */
const TOASTS_MAX = 3;

interface Toast {
  id: number;
  text: string;
}

const Context = createContext<(text: string) => void>(() => {});

/** Says that something was done. Failures stay where they happened instead. */
export function useToast(): (text: string) => void {
  return useContext(Context);
}

export function ToastProvider({ children }: { children: ReactNode }) {
  const { t } = useT();
  const [toasts, setToasts] = useState<Toast[]>([]);
  const next = useRef(0);
  const close = useCallback((id: number) => setToasts((now) => now.filter((toast) => toast.id !== id)), []);
  const say = useCallback(
    (text: string) => {
      const id = next.current++;
      setToasts((now) => [...now.slice(1 - TOASTS_MAX), { id, text }]);
      setTimeout(() => close(id), STAY_MS);
    },
    [close],
  );
  return (
    <Context value={useMemo(() => say, [say])}>
      {children}
      <div className="toasts" role="status" aria-live="polite">
        {toasts.map((toast) => (
          <div key={toast.id} className="toast">
            <span>{toast.text}</span>
            <Button
              kind="quiet"
              icon="close"
              iconOnly
              label={t('action.close')}
              onClick={() => close(toast.id)}
            />
          </div>
        ))}
      </div>
    </Context>
  );
}
