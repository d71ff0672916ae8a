import { useQueryClient } from '@tanstack/react-query';
import { useLocation } from 'wouter';
import { post } from '../../api/client';
import type { Device } from '../../api/types';
import { useT } from '../../i18n/i18n';
import { PageHead } from '../../ui/Page';
import { useToast } from '../../ui/Toast';
import { href } from '../../url/search';
import { DeviceForm } from './DeviceForm';

export default function NewDevicePage() {
  const { t } = useT();
  const queries = useQueryClient();
  const say = useToast();
  const [, navigate] = useLocation();
  return (
    <>
      <PageHead title={t('device.new')} note={t('device.newNote')} />
      <DeviceForm
        cancel="/devices"
        save={async (draft) => {
          const device = await post<Device>('/devices', draft);
          await queries.invalidateQueries();
          say(t('device.created'));
          navigate(href('/device', { id: device.id }));
        }}
      />
    </>
  );
}
