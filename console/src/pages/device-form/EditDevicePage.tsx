import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useLocation } from 'wouter';
import { ApiError, getVersioned, patch, withId } from '../../api/client';
import type { Device } from '../../api/types';
import { displayName } from '../../format/name';
import { useT } from '../../i18n/i18n';
import { Loading, PageHead } from '../../ui/Page';
import { ProblemPanel } from '../../ui/Problem';
import { useToast } from '../../ui/Toast';
import { href, useSearchState } from '../../url/search';
import { DeviceForm } from './DeviceForm';

export default function EditDevicePage() {
  const { t, language } = useT();
  const queries = useQueryClient();
  const say = useToast();
  const [, navigate] = useLocation();
  const [search] = useSearchState();
  const id = search.get('id') ?? '';
  // Read once: a form must not change under the hands.
  const device = useQuery({
    queryKey: ['device-form', id],
    queryFn: ({ signal }) => getVersioned<Device>(withId('/devices', id), signal),
    staleTime: Infinity,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });
  if (device.error) return <ProblemPanel error={device.error} retry={() => void device.refetch()} />;
  if (!device.data) return <Loading />;
  const { body, etag } = device.data;
  const page = href('/device', { id });
  return (
    <>
      <PageHead
        title={t('device.editTitle', { name: displayName(body, language) })}
        note={<code>{id}</code>}
      />
      <DeviceForm
        device={body}
        cancel={page}
        save={async (draft) => {
          try {
            await patch<Device>(withId('/devices', id), draft, etag);
          } catch (error) {
            // The next attempt is made upon the version that is there now; what was typed stays.
            if (error instanceof ApiError && error.code === 'version-conflict') await device.refetch();
            throw error;
          }
          await queries.invalidateQueries();
          say(t('state.saved'));
          navigate(page);
        }}
      />
    </>
  );
}
