import type { Protocol } from '../../api/protocols';
import { useT } from '../../i18n/i18n';
import { textIn } from '../../schema/schema';

interface ProtocolStepProps {
  protocols: readonly Protocol[];
  chosen: string | undefined;
  onChoose: (protocol: string) => void;
}

/** A card for each protocol; choosing one goes on. */
export function ProtocolStep({ protocols, chosen, onChoose }: ProtocolStepProps) {
  const { t, language } = useT();
  return (
    <section aria-label={t('wizard.protocol')}>
      <p className="wizard-lead">{t('wizard.protocolAbout')}</p>
      <ul className="protocol-cards">
        {protocols.map(({ protocol, schema }) => (
          <li key={protocol}>
            <button
              type="button"
              className="protocol-card"
              aria-pressed={protocol === chosen}
              onClick={() => onChoose(protocol)}
            >
              <strong>{textIn(schema['x-title'], language) ?? schema.title}</strong>
              <span>{textIn(schema['x-description'], language) ?? schema.description}</span>
              <span className="row">
                {schema.abilities.discover ? <span className="chip">{t('protocol.discovers')}</span> : null}
                {schema.abilities.browse ? <span className="chip">{t('protocol.browses')}</span> : null}
                {schema.abilities.write ? <span className="chip">{t('protocol.writes')}</span> : null}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
