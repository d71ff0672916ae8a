import { describe, expect, it } from 'vitest';
import { commonName } from './name';

describe('the name of a client', () => {
  it.each([
    ['CN=SCADA 1', 'SCADA 1'],
    ['O=Works, CN=SCADA 1, C=CN', 'SCADA 1'],
    ['C=CN,CN=监控站+O=Works', '监控站'],
    ['CN=a\\, b\\+c, O=x', 'a, b+c'],
    ['O=Works', 'O=Works'],
    ['CN=urn:works:scada, CN=SCADA 2, O=Works', 'SCADA 2'],
    ['', '–'],
    ['O=xCN=y', 'O=xCN=y'],
  ])('of %s', (subject, name) => {
    expect(commonName(subject)).toBe(name);
  });
});
