import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { ApiError, patch, withId } from '../../api/client';
import type { Device } from '../../api/types';
import { useT } from '../../i18n/i18n';
import { useToast } from '../../ui/Toast';
import { href } from '../../url/search';
import type { DeviceToEditProps } from './DeviceToEdit';

/** Saves a change of a device upon the version that was read, and goes to the device's page. */
export function useSave({ device, etag, refetch }: DeviceToEditProps, forget: () => void) {
  const { t } = useT();
  const queries = useQueryClient();
  const say = useToast();
  const [, navigate] = useLocation();
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const page = href('/device', { id: device.id });
  const isConflict = error instanceof ApiError && error.code === 'version-conflict';
  const clear = () => setError(undefined);
  const save = async (change: object) => {
    setBusy(true);
    try {
      await patch<Device>(withId('/devices', device.id), change, etag);
      forget();
      await queries.invalidateQueries();
      say(t('state.saved'));
      navigate(page);
    } catch (failure) {
      // The next attempt is made upon the version that is there now; what was typed stays.
      if (failure instanceof ApiError && failure.code === 'version-conflict') await refetch();
      setError(failure);
      setBusy(false);
    }
  };
  return { save, clear, busy, error, isConflict, page };
}
