import { useState } from 'react';
import { Link } from 'wouter';
import { useQuery, keepPreviousData } from '@tanstack/react-query';
import { get, withQuery } from '../../api/client';
import type { Protocol } from '../../api/protocols';
import type { Page, TemplateSummary } from '../../api/types';
import { useT } from '../../i18n/i18n';
import { textIn } from '../../schema/schema';
import { SearchField } from '../../ui/SearchField';

/** Templates shown at once; among more one searches. */
const SHOWN_MAX = 6;

interface TemplateChoiceProps {
  protocols: readonly Protocol[];
  chosen: string | undefined;
  onChoose: (name: string) => void;
}

/** A card for each type of device; nothing where there is none. */
export function TemplateChoice({ protocols, chosen, onChoose }: TemplateChoiceProps) {
  const { t, language } = useT();
  const [q, setQ] = useState('');
  const [searched, setSearched] = useState(false);
  const list = useQuery({
    queryKey: ['templates', 'choice', q],
    queryFn: ({ signal }) =>
      get<Page<TemplateSummary>>(withQuery('/templates', { q, limit: SHOWN_MAX }), signal),
    placeholderData: keepPreviousData,
  });
  const templates = list.data?.items ?? [];
  const many = searched || Boolean(list.data?.next);
  if (templates.length === 0 && !searched) return null;
  const nameOf = (protocol: string) =>
    textIn(protocols.find((one) => one.protocol === protocol)?.schema['x-title'], language) ?? protocol;
  return (
    <section className="template-choice" aria-label={t('wizard.fromTemplate')}>
      <header className="card-head">
        <h2>{t('wizard.fromTemplate')}</h2>
        {many ? (
          <SearchField
            label={t('templates.search')}
            value={q}
            onChange={(next) => {
              setSearched(true);
              setQ(next.trim());
            }}
          />
        ) : null}
        <Link href="/templates">{t('templates.all')}</Link>
      </header>
      {templates.length === 0 ? <p className="muted">{t('templates.noMatch')}</p> : null}
      <ul className="protocol-cards">
        {templates.map(({ name, description, protocol, points }) => (
          <li key={name}>
            <button
              type="button"
              className="protocol-card template-card"
              aria-pressed={name === chosen}
              onClick={() => onChoose(name)}
            >
              <strong>{name}</strong>
              <span>{description}</span>
              <span className="row">
                <span className="chip">{nameOf(protocol)}</span>
                <span className="chip">{t('points.count', { count: points })}</span>
              </span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
