import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { getVersioned, withId } from '../../api/client';
import type { ProtocolSchema } from '../../api/protocols';
import { useProtocols } from '../../api/queries';
import type { Device } from '../../api/types';
import { useT } from '../../i18n/i18n';
import { Loading, PageHead } from '../../ui/Page';
import { ProblemPanel } from '../../ui/Problem';
import { useSearchState } from '../../url/search';

/** What a form about a device is made of. */
export interface DeviceToEditProps {
  device: Device;
  etag: string | null;
  schema: ProtocolSchema;
  /** Reads the version anew upon which the next attempt is made. */
  refetch: () => Promise<unknown>;
}

/** The form about the device that the address names, once it is read; else what is in the way. */
export function DeviceToEdit({
  title,
  form,
}: {
  title: string;
  form: (props: DeviceToEditProps) => ReactNode;
}) {
  const { t } = useT();
  const [search] = useSearchState();
  const id = search.get('id') ?? '';
  const protocols = useProtocols();
  // Read once: a form must not change under the hands.
  const device = useQuery({
    queryKey: ['device-form', id],
    queryFn: ({ signal }) => getVersioned<Device>(withId('/devices', id), signal),
    staleTime: Infinity,
    gcTime: 0,
    refetchOnWindowFocus: false,
  });
  const error = device.error ?? protocols.error;
  if (!error && (!device.data || !protocols.data)) return <Loading />;
  const protocol = device.data?.body.protocol ?? '';
  const schema = protocols.data?.find((one) => one.protocol === protocol)?.schema;
  if (device.data && schema && !error)
    return form({ device: device.data.body, etag: device.data.etag, schema, refetch: () => device.refetch() });
  return (
    <>
      <PageHead title={title} note={<code>{id}</code>} />
      {error ? (
        <ProblemPanel error={error} retry={() => void Promise.all([device.refetch(), protocols.refetch()])} />
      ) : (
        <p className="banner">{t('device.unknownProtocol', { protocol })}</p>
      )}
    </>
  );
}
