import { useT } from '../i18n/i18n';
import { Button } from './Button';

/** The button under a list of which there is more; nothing where it is whole. */
export function More({
  of,
}: {
  of: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => Promise<unknown> };
}) {
  const { t } = useT();
  if (!of.hasNextPage) return null;
  return (
    <p className="more">
      <Button label={t('action.more')} busy={of.isFetchingNextPage} onClick={() => void of.fetchNextPage()} />
    </p>
  );
}
