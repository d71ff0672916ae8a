import { useLocation } from 'wouter';
import { useT } from '../i18n/i18n';
import { LinkButton } from '../ui/Button';
import { Empty, PageHead } from '../ui/Page';

export function NotFoundPage() {
  const { t } = useT();
  const [path] = useLocation();
  return (
    <>
      <PageHead title={t('notFound.title')} />
      <Empty icon="search" title={t('notFound.text', { path })}>
        <p>{t('notFound.advice')}</p>
        <div className="row">
          <LinkButton to="/" icon="overview" label={t('nav.overview')} />
          <LinkButton to="/tags" icon="tags" label={t('nav.tags')} />
        </div>
      </Empty>
    </>
  );
}
