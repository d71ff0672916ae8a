import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { get, put, remove, withId } from '../../api/client';
import { usePages, useProtocols } from '../../api/queries';
import { useMay } from '../../api/session';
import type { Template, TemplateSummary } from '../../api/types';
import { downloadJson, fileName } from '../../csv/csv';
import { templateFile, templateInFile } from '../../device/template';
import { formatTime } from '../../format/time';
import { useT } from '../../i18n/i18n';
import { textIn } from '../../schema/schema';
import { Button, LinkButton } from '../../ui/Button';
import { ConfirmDialog } from '../../ui/ConfirmDialog';
import { More } from '../../ui/More';
import { Empty, Loading, PageHead } from '../../ui/Page';
import { ProblemPanel } from '../../ui/Problem';
import { SearchField } from '../../ui/SearchField';
import { TableBox } from '../../ui/Table';
import { useToast } from '../../ui/Toast';
import { href, useSearchState } from '../../url/search';
import { sameName } from './named';

/** Largest file taken; the node refuses larger bodies anyway. */
const FILE_BYTES_MAX = 4 * 1024 * 1024;

type Read = NonNullable<ReturnType<typeof templateInFile>>;

/** Types of devices: found, used, carried to other nodes, deleted. */
export default function TemplatesPage() {
  const { t, language } = useT();
  const may = useMay();
  const queries = useQueryClient();
  const say = useToast();
  const [search, setSearch] = useSearchState();
  const [deleting, setDeleting] = useState<TemplateSummary>();
  const [replacing, setReplacing] = useState<Read>();
  const [notTaken, setNotTaken] = useState('');
  const [failure, setFailure] = useState<unknown>();
  const q = (search.get('q') ?? '').trim();
  const templates = usePages<TemplateSummary>('/templates', { q });
  const protocols = useProtocols();
  const items = templates.data?.pages.flatMap((page) => page.items) ?? [];
  const canChange = may('device:write');
  const refresh = () => queries.invalidateQueries({ queryKey: ['templates'] });
  const protocolName = (protocol: string) =>
    textIn(protocols.data?.find((one) => one.protocol === protocol)?.schema['x-title'], language) ?? protocol;

  const attempt = async (work: () => Promise<void>) => {
    setFailure(undefined);
    setNotTaken('');
    try {
      await work();
    } catch (error) {
      setFailure(error);
    }
  };
  const exportJson = (name: string) =>
    attempt(async () => {
      const template = await get<Template>(withId('/templates', name));
      downloadJson(fileName(name, new Date(), 'json'), templateFile(template));
    });
  const store = async ({ name, input }: Read) => {
    await put<Template>(withId('/templates', name), input);
    await refresh();
    say(t('templates.imported', { name }));
  };
  const importJson = (file: File | undefined) =>
    attempt(async () => {
      if (!file) return;
      const read = file.size > FILE_BYTES_MAX ? undefined : templateInFile(await file.text());
      if (!read) setNotTaken(file.name);
      else if (await sameName(read.name)) setReplacing(read);
      else await store(read);
    });
  return (
    <>
      <PageHead
        title={t('templates.title')}
        note={t('templates.about')}
        actions={
          canChange ? (
            <label className="button button-plain file-button">
              {t('templates.import')}
              <input
                type="file"
                accept=".json,application/json"
                onChange={(event) => {
                  void importJson(event.target.files?.[0]);
                  // The same file, corrected, can be chosen again.
                  event.target.value = '';
                }}
              />
            </label>
          ) : null
        }
      />
      <div className="filters">
        <SearchField
          label={t('templates.search')}
          value={search.get('q') ?? ''}
          onChange={(next) => setSearch({ q: next }, true)}
        />
      </div>
      {notTaken ? (
        <p className="banner banner-bad" role="alert">
          {t('templates.notTaken', { name: notTaken })}
        </p>
      ) : null}
      {failure ? <ProblemPanel error={failure} /> : null}
      {templates.error ? (
        <ProblemPanel error={templates.error} retry={() => void templates.refetch()} />
      ) : null}
      {templates.isPending ? <Loading /> : null}
      {templates.data && items.length === 0 ? (
        <Empty icon="copy" title={q ? t('templates.noMatch') : t('templates.none')}>
          {q ? null : <p>{t('templates.noneAdvice')}</p>}
        </Empty>
      ) : null}
      {items.length > 0 ? (
        <TableBox label={t('templates.title')}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">{t('templates.name')}</th>
                <th scope="col">{t('tag.protocol')}</th>
                <th scope="col" className="number-cell">
                  {t('points.title')}
                </th>
                <th scope="col" className="wide-only">
                  {t('identify.updated')}
                </th>
                <th scope="col">
                  <span className="sr-only">{t('state.actions')}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {items.map((template) => (
                <tr key={template.name}>
                  <th scope="row" className="name-cell">
                    {template.name}
                    <small>{template.description}</small>
                  </th>
                  <td>{protocolName(template.protocol)}</td>
                  <td className="number-cell">{template.points}</td>
                  <td className="time-cell wide-only">{formatTime(template.updated)}</td>
                  <td className="action-cell">
                    {canChange ? (
                      <LinkButton
                        kind="quiet"
                        icon="plus"
                        iconOnly
                        label={t('templates.use', { name: template.name })}
                        to={href('/devices/new', { template: template.name })}
                      />
                    ) : null}
                    <Button
                      kind="quiet"
                      icon="download"
                      iconOnly
                      label={t('templates.export', { name: template.name })}
                      onClick={() => void exportJson(template.name)}
                    />
                    {canChange ? (
                      <Button
                        kind="quiet"
                        icon="trash"
                        iconOnly
                        label={t('templates.delete', { name: template.name })}
                        onClick={() => setDeleting(template)}
                      />
                    ) : null}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableBox>
      ) : null}
      <More of={templates} />
      {deleting ? (
        <ConfirmDialog
          title={t('templates.deleteTitle', { name: deleting.name })}
          text={t('templates.deleteText')}
          action={t('action.delete')}
          danger
          onConfirm={async () => {
            await remove(withId('/templates', deleting.name), `"${deleting.version}"`);
            await refresh();
            say(t('templates.deleted', { name: deleting.name }));
          }}
          onClose={() => setDeleting(undefined)}
        />
      ) : null}
      {replacing ? (
        <ConfirmDialog
          title={t('templates.replaceTitle', { name: replacing.name })}
          text={t('templates.replaceText')}
          action={t('templates.replace')}
          danger
          onConfirm={() => store(replacing)}
          onClose={() => setReplacing(undefined)}
        />
      ) : null}
    </>
  );
}
