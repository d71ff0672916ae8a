import { GRADES, type Grade } from '../api/types';
import { useT } from '../i18n/i18n';
import { SelectField } from './Field';

/** The grade of something that inherits one where it has none of its own. */
export function GradeField({
  value,
  onChange,
  hint,
  error,
}: {
  value: Grade | '';
  onChange: (grade: Grade | '') => void;
  hint?: string | undefined;
  error?: string | undefined;
}) {
  const { t } = useT();
  return (
    <SelectField
      label={t('field.grade')}
      hint={hint}
      value={value}
      onChange={(grade) => onChange(grade as Grade | '')}
      error={error}
    >
      <option value="">{t('field.gradeInherited')}</option>
      {GRADES.map((grade) => (
        <option key={grade} value={grade}>
          {t(`grade.${grade}`)}
        </option>
      ))}
    </SelectField>
  );
}
