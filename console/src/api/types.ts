// The shapes of the HTTP API (`/api/v1`), as its OpenAPI document describes them.

/** RFC 3339 in UTC, with up to nine decimals. */
export type Time = string;
/** `prefix/suffix`. */
export type Id = string;
/** What stands in a document whose shape a driver knows. */
export type Json = string | number | boolean | null | Json[] | JsonObject;
export interface JsonObject {
  [field: string]: Json;
}
/** `good`, `uncertain`, `bad`, each optionally with an OPC UA status code: `bad:0x80310000`. */
export type QualityText = string;
/** Integers beyond 2^53 come as strings; no value (bad quality) is `null`. */
export type Value = number | string | boolean | null | Value[];

export type Names = Record<string, string>;
/** In a change, `null` takes a name away (RFC 7396). */
export type NamesPatch = Record<string, string | null>;

export type Grade = 'public' | 'general' | 'important' | 'core';
export const GRADES: readonly Grade[] = ['public', 'general', 'important', 'core'];

export type Level =
  'enterprise' | 'site' | 'area' | 'work_center' | 'work_unit' | 'equipment_module' | 'control_module';
export const LEVELS: readonly Level[] = [
  'enterprise',
  'site',
  'area',
  'work_center',
  'work_unit',
  'equipment_module',
  'control_module',
];

export type DataType = 'f64' | 'i64' | 'u64' | 'bool' | 'text' | 'enumeration' | 'array';
export const DATA_TYPES: readonly DataType[] = ['f64', 'i64', 'u64', 'bool', 'text', 'enumeration', 'array'];

export interface Page<T> {
  items: T[];
  next: string | null;
}

export interface Problem {
  type: string;
  code: string;
  title: string;
  status: number;
  detail: string;
  request?: string;
  errors?: FieldError[];
  /** What a device presented, where its certificate is not trusted. */
  certificate?: PeerCertificate | null;
}

/** A certificate that a device presented, for a person to compare with the device's own. */
export interface PeerCertificate {
  /** SHA-256, 64 lower-case hexadecimal digits. */
  thumbprint: string;
  subject: string;
  issuer: string;
  /** Host names, addresses and URIs that it is for. */
  names: string[];
  not_before: Time | null;
  not_after: Time | null;
}

export interface FieldError {
  /** A JSON pointer into the request, or the name of a query parameter. */
  field: string;
  detail: string;
}

export interface Session {
  principal: Id;
  name: string;
  /** None for a principal of the node itself. */
  tenant: { id: number; prefix: string; name: string; names?: Names } | null;
  roles: string[];
  ceiling: Grade;
  permissions: string[];
  csrf: string | null;
  expires: Time | null;
}

export interface Overview {
  organisation: { prefix: string; name: string; names?: Names } | null;
  node: { version: string; started: Time; uptime_s: number };
  tags: number;
  tags_bad: number;
  assets: number;
  devices: {
    total: number;
    by_state: Partial<Record<DeviceState, number>>;
    by_protocol?: Record<string, number>;
  };
  samples: { total: number; rate_per_s: number };
}

export interface Asset {
  id: Id;
  name: string;
  names?: Names;
  description: string;
  level: Level;
  parent: Id | null;
  /** The one that holds, inherited or not. */
  grade: Grade;
  own_grade: Grade | null;
  /** Of it and all below. */
  state: { tags: number; bad: number; devices_down: number };
  version: number;
}

export interface AssetDraft {
  id?: Id;
  name: string;
  names: NamesPatch;
  description: string;
  level: Level;
  parent: Id | null;
  grade: Grade | null;
}

export interface Sample {
  time: Time;
  value: Value;
  quality: QualityText;
}

export interface LiveSample extends Sample {
  tag: Id;
}

export interface Scaling {
  effective: Time;
  factor: number;
  offset: number;
  unit?: string | null;
}

export interface WriteLimits {
  min: number | null;
  max: number | null;
  confirm: boolean;
}

export interface Range {
  low: number;
  high: number;
}

export interface TagSource {
  device: Id;
  protocol: string;
  address: JsonObject;
  poll_ms?: number | null;
  scaling?: Scaling[];
  write?: WriteLimits | null;
}

export type Interpolation = 'linear' | 'step';

export interface Tag {
  id: Id;
  name: string;
  names: Names;
  description: string;
  unit: string | null;
  unit_symbol: string | null;
  data_type: DataType;
  asset: Id | null;
  /** The one that holds, inherited or not. */
  grade: Grade;
  own_grade: Grade | null;
  domain: string | null;
  range: Range | null;
  /** The names of an enumeration's states. */
  labels: Record<string, string>;
  /** What a value is between two samples; none where its type says it. */
  interpolation?: Interpolation | null;
  /** `http` where samples are sent. */
  protocol: string;
  device: Id | null;
  source: TagSource | null;
  last: Sample | null;
  version: number;
}

/** A tag whose samples are sent, not read from a device. */
export interface TagDraft extends TagPatch {
  id?: Id;
  data_type: DataType;
}

/** What is changed of a tag. */
export interface TagPatch {
  name: string;
  names: NamesPatch;
  description: string;
  unit: string | null;
  asset: Id | null;
  range: Range | null;
  interpolation: Interpolation | null;
  grade: Grade | null;
}

export interface TagVersion {
  version: number;
  time: Time;
  /** The document; `null` where this version is the deletion. */
  tag: unknown;
}

export type DeviceState =
  'connecting' | 'online' | 'degraded' | 'backing_off' | 'disabled' | 'misconfigured' | 'stopped';
export const DEVICE_STATES: readonly DeviceState[] = [
  'online',
  'degraded',
  'connecting',
  'backing_off',
  'misconfigured',
  'disabled',
  'stopped',
];

export interface DeviceStatus {
  device: Id;
  state: DeviceState;
  reason: string | null;
  since: Time;
  next_attempt?: Time | null;
  /** What the device presented, where it is offline because its certificate is not trusted. */
  certificate?: PeerCertificate | null;
  points: number;
  points_bad: number;
  counters: Record<string, number>;
}

/** A point of a device as it is read: a tag with its address. It may be sent back. */
export interface Point extends Omit<Tag, 'protocol' | 'device' | 'source'> {
  address: JsonObject;
  scaling: Scaling[];
  poll_ms: number | null;
  write: WriteLimits | null;
}

/** A point as it is created or changed: a tag with an address. */
export interface PointDraft {
  id?: Id;
  name: string;
  names: Names;
  description: string;
  unit: string | null;
  data_type: DataType;
  address: JsonObject;
  scaling: Scaling[];
  poll_ms: number | null;
  write: WriteLimits | null;
  asset: Id | null;
  grade: Grade | null;
  domain: string | null;
  range: Range | null;
  labels: Record<string, string>;
  interpolation?: Interpolation | null;
}

export interface Device {
  id: Id;
  name: string;
  names: Names;
  protocol: string;
  asset: Id | null;
  /** A secret that is stored is `{"secret": "set"}`. */
  settings: JsonObject;
  enabled: boolean;
  grade: Grade;
  own_grade: Grade | null;
  status: DeviceStatus | null;
  /** Only where one device is read. */
  points?: Point[];
  version: number;
}

export interface DeviceDraft {
  id?: Id;
  name: string;
  names: NamesPatch;
  protocol: string;
  asset: Id | null;
  settings: JsonObject;
  enabled: boolean;
  grade: Grade | null;
  points: PointDraft[];
}

/** A type of device: what its devices have in common, whose names are relative to the device. */
export interface TemplateInput {
  description: string;
  protocol: string;
  /** Without what is one device's own: its place, secrets, reviewed certificates. */
  settings: JsonObject;
  grade: Grade | null;
  points: TemplatePoint[];
}

export type TemplatePoint = Omit<PointDraft, 'id' | 'asset'>;

export interface Template extends TemplateInput {
  name: string;
  updated: Time;
  version: number;
}

export interface TemplateSummary {
  name: string;
  description: string;
  protocol: string;
  grade: Grade | null;
  points: number;
  updated: Time;
  version: number;
}

/** A client of the MQTT broker, connected or with a session that is kept for it. */
export interface MqttClient {
  client_id: string;
  user: string;
  connection: MqttConnection | null;
  subscriptions: number;
  /** The first of its topic filters. */
  filters: string[];
  queued: number;
  inflight: number;
  session_expiry_s: number;
}

export interface MqttConnection {
  address: string;
  port: number;
  /** 3 for MQTT 3.1 and 3.1.1. */
  version: number;
  tls: boolean;
  since: Time;
  keep_alive_s: number;
  messages_in: number;
  messages_out: number;
}

export interface MqttClients extends Page<MqttClient> {
  /** None where the broker does not run. */
  broker: { address: string; tls: boolean; sessions: number; retained: number } | null;
}

/** The node's OPC UA server. */
export interface OpcUaStatus {
  address: string;
  /** What clients enter to connect. */
  url: string;
  application_uri: string;
  certificate: PeerCertificate;
  /** `None` is neither signed nor encrypted. */
  policies: string[];
  sessions: OpcUaSession[];
  sessions_max: number;
  subscriptions: number;
  monitored_items: number;
}

export interface OpcUaSession {
  name: string;
  /** None before it has shown who it is. */
  user: string | null;
  /** Whether it showed an API token as its password. */
  token: boolean;
  application_uri: string;
  address: string;
  /** The thumbprint; none without security. */
  certificate: string | null;
  encrypted: boolean;
  idle_s: number;
}

/** A program that the OPC UA server lets in, or has turned away. */
export interface OpcUaClient {
  certificate: PeerCertificate;
  application_uri: string | null;
  trusted: boolean;
  /** Since when it is trusted, or when it was last refused. */
  since: Time;
}

export interface OpcUaClients {
  /** None where the server does not run. */
  server: OpcUaStatus | null;
  items: OpcUaClient[];
}

export interface TestReport {
  message: string;
  latency_ms: number;
  values: TestValue[];
}

export interface TestValue {
  index: number;
  name: string;
  value: Value;
  quality: QualityText;
  error?: string | null;
}

/** One way to speak to what was found. */
export interface Discovered {
  name: string;
  detail: string;
  settings: JsonObject;
  certificate: PeerCertificate | null;
}

/** One thing that a device offers. */
export interface BrowseItem {
  /** Where to browse on, unique within the device. */
  at: string;
  name: string;
  description: string;
  expandable: boolean;
  /** The point address to use, where it is a value. */
  address: JsonObject | null;
  /** What to call it by, where it is a method. */
  method: Json;
  data_type: DataType | null;
  unit: string | null;
  writable: boolean | null;
  value: Value;
}

export interface LogLine {
  time: Time;
  level: 'info' | 'warning' | 'error';
  text: string;
}

/** What an import did, or would do. */
export interface ImportReport {
  devices_created: number;
  devices_changed: number;
  points_created: number;
  points_changed: number;
  /** How much is wrong; `errors` has the first of it. */
  errors_total: number;
  errors: { line: number; field: string; detail: string }[];
}

export interface WriteReport {
  before: Value;
  requested: Value;
  after: Value;
  /** Whether the device holds what was written. */
  verified: boolean;
  time: Time;
}

export interface IdentifierValue {
  index: number;
  type: string;
  data: string;
  ttl: number;
  read?: 'public' | 'private';
}

export interface IdentifierRecord {
  id: Id;
  kind: 'organisation' | 'asset' | 'device' | 'tag' | 'user';
  name: string;
  organisation: string;
  created: Time | null;
  updated: Time;
  values: IdentifierValue[];
  links: Record<string, string>;
  version: number;
}

export interface User {
  id: Id;
  /** The name, which no other user of the organisation has. */
  name: string;
  /** What the user types to sign in: the name, or `name@prefix` outside the first organisation. */
  sign_in: string;
  /** The name for people, where it is another. */
  full_name: string | null;
  roles: string[];
  ceiling: Grade;
  disabled: boolean;
  version: number;
}

export interface Token {
  id: string;
  name: string;
  user: Id;
  actions: string[];
  ceiling: Grade;
  created: Time;
  expires: Time;
  /** Since the node started. */
  last_used: Time | null;
}

export interface NewToken extends Token {
  /** The secret; the server shows it this once. */
  token: string;
}

export interface AuditItem {
  index: number;
  time: Time;
  principal: Id;
  cause: string;
  /** `change`, `refusal`, `sign_in`, `flood` or `note`. */
  kind: string;
  /** In the shape of its kind. */
  event: unknown;
  detail: unknown;
  request: string;
  remote: string | null;
  tenant: number;
  leaf_hash: string;
}

export interface Checkpoint {
  origin: string;
  size: number;
  root: string;
  /** The signed note. */
  checkpoint: string;
}

/** What is kept of samples, from most to least. */
export type Keep = 'all' | 'minute' | 'hour' | 'day' | 'nothing';

export interface RetentionRule {
  after_days: number;
  keep: Keep;
}

export interface Retention {
  /** Each begins later than the one before it and keeps less. */
  rules: RetentionRule[];
  version: number;
}

/** The files of a tenant's day or month. */
export interface HistorianSpan {
  tenant: number;
  /** The first day, in UTC. */
  date: string;
  days: number;
  blocks: number;
  rows: number;
  bytes: number;
  from: Time;
  to: Time;
}

export interface HistorianContents {
  spans: HistorianSpan[];
  samples: number;
  position: number;
  log_bytes: number;
  memory_bytes: number;
  deletions: number;
  quarantine_bytes: number;
}

export interface Lake {
  url: string;
  /** `starting`, `copying`, `following`, `failing` or `ended`. */
  state: string;
  version: number | null;
  files: number;
  bytes: number;
  position: number | null;
  committed: Time | null;
  as_of: Time | null;
  behind_s: number | null;
  commits: number;
  uploaded_files: number;
  uploaded_bytes: number;
  failures: number;
  error: string | null;
  advice: string | null;
  waiting: string[];
}

/** The rows that a statement gave. */
export interface QueryRows {
  columns: { name: string; type: string }[];
  rows: Value[][];
}
