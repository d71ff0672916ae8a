// Templates: what devices of one type have in common, taken from a device and given to new ones.
import type { FieldSchema, ProtocolSchema } from '../api/protocols';
import type { Device, JsonObject, Names, Point, Template, TemplateInput, TemplatePoint } from '../api/types';
import { emptyPoint, pointText, type PointText } from '../points/points';
import { formOf } from '../schema/form';
import { deviceText, type DeviceText } from './draft';

/** Whether a setting stays with the device: its place, its name there, its secrets, its reviewed certificates. */
export function isOwn(field: FieldSchema): boolean {
  return Boolean(field['x-own'] || field['x-secret'] || field['x-trust']);
}

/** The settings that devices of the type have in common. */
export function commonSettings(settings: JsonObject, schema: ProtocolSchema): JsonObject {
  const fields = schema.settings.properties ?? {};
  return Object.fromEntries(
    Object.entries(settings).filter(
      ([name, value]) => value !== null && fields[name] !== undefined && !isOwn(fields[name]),
    ),
  );
}

/** What stands between a device's name and what follows it in the name of a point. */
const BETWEEN = /^[\s·:：_./\\-]+/u;

/** A point's name without the device's in front of it. */
export function relativeName(name: string, deviceNames: readonly string[]): string {
  const longest = [...deviceNames].filter(Boolean).sort((a, b) => b.length - a.length);
  for (const device of longest) {
    if (!name.toLowerCase().startsWith(device.toLowerCase())) continue;
    const rest = name.slice(device.length);
    const short = rest.replace(BETWEEN, '');
    // "Pump 10 speed" is no point of "Pump 1"; Chinese needs no blank.
    const ends = short !== rest || (/\p{Script=Han}$/u.test(device) && /^\p{Script=Han}/u.test(rest));
    if (ends && short) return short;
  }
  return name;
}

/** The template that a device makes. */
export function templateOf(device: Device, schema: ProtocolSchema, description: string): TemplateInput {
  const deviceNames = [device.name, ...Object.values(device.names)];
  return {
    description: description.trim(),
    protocol: device.protocol,
    settings: commonSettings(device.settings, schema),
    grade: device.own_grade,
    points: (device.points ?? []).map((point) => templatePoint(point, deviceNames)),
  };
}

function templatePoint(tag: Point, deviceNames: readonly string[]): TemplatePoint {
  const names: Names = Object.fromEntries(
    Object.entries(tag.names).map(([code, name]) => [code, relativeName(name, deviceNames)]),
  );
  return {
    name: relativeName(tag.name, deviceNames),
    names,
    description: tag.description,
    unit: tag.unit,
    data_type: tag.data_type,
    address: tag.address,
    // A new device has no history: the scaling in force holds for all that it ever reads.
    scaling: tag.scaling.slice(-1).map((one) => ({ ...one, effective: '1970-01-01T00:00:00Z' })),
    poll_ms: tag.poll_ms,
    write: tag.write,
    grade: tag.own_grade,
    domain: tag.domain,
    range: tag.range,
    labels: tag.labels,
    interpolation: tag.interpolation ?? null,
  };
}

/** The form of a new device of the type. */
export function textOfTemplate(template: Template, schema: ProtocolSchema): DeviceText {
  return {
    ...deviceText(template.protocol, schema),
    template: template.name,
    prefixed: template.points.length > 0,
    grade: template.grade ?? '',
    settings: formOf(schema.settings, template.settings),
    points: template.points.map((point, key) => textOfPoint(point, key, schema.address)),
    nextKey: template.points.length,
  };
}

function textOfPoint(point: TemplatePoint, key: number, schema: FieldSchema): PointText {
  const grade = point.grade ?? 'core';
  const tag: Point = { ...point, id: '', asset: null, grade, own_grade: point.grade, unit_symbol: null, last: null, version: 0 };
  const text = { ...emptyPoint(key, schema), ...pointText(tag, key, schema), id: '' };
  // The names of states and what else the form does not show come along.
  const { description, domain, interpolation = null, labels } = point;
  return { ...text, tag: null, more: { description, domain, interpolation, labels } };
}

/** What a file holds. */
const FILE_KIND = 'device-template';

/** A template as a file, to carry it to another node. */
export function templateFile({ name, description, protocol, settings, grade, points }: Template): string {
  const content = { weir: FILE_KIND, name, description, protocol, settings, grade, points };
  return `${JSON.stringify(content, null, 2)}\n`;
}

/** The template in a file; none where it is no such file. What its fields hold is the node's to check. */
export function templateInFile(text: string): { name: string; input: TemplateInput } | undefined {
  let content: unknown;
  try {
    content = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    return undefined;
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) return undefined;
  const { weir, name, ...input } = content as Record<string, unknown>;
  if (weir !== FILE_KIND || typeof name !== 'string') return undefined;
  return { name, input: input as unknown as TemplateInput };
}
