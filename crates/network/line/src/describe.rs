//! What a form for a device that sends lines is made of.

use serde_json::{Value as Json, json};
use weir_connect::form::{self, advanced, choice, field, integer, own, text, when};

use crate::address::PATTERN_BYTES_MAX;
use crate::settings::{CONNECTIONS_MAX, LINE_BYTES_MAX};

pub(crate) fn schema() -> Json {
    let title = ["Lines over TCP", "TCP 文本行"];
    let mut schema = form::description(title, settings(), address());
    let about = [
        "Events of barcode scanners, RFID readers, badge terminals and scales: each line is an event",
        "条码扫描器、RFID 读写器、刷卡终端、电子秤等设备的事件：每一行即一个事件",
    ];
    schema["x-description"] = json!({"en": about[0], "zh-CN": about[1]});
    schema
}

fn settings() -> Json {
    let listening: &[&str] = &["listen"];
    json!({
        "type": "object",
        "required": ["port"],
        "additionalProperties": false,
        "x-order": ["mode", "host", "port", "allow", "address", "delimiter", "delimiter_custom",
            "encoding", "line_bytes_max", "idle_seconds", "keep_alive_seconds", "connections_max", "timeout_ms"],
        "properties": {
            "mode": field(
                choice(
                    &[
                        ("connect", ["Weir connects to the device", "Weir 主动连接设备"]),
                        ("listen", ["The device connects to Weir", "设备主动连接 Weir"]),
                    ],
                    "connect",
                ),
                ["Mode", "连接方式"],
                ["Who connects to whom", "由哪一方发起连接"],
            ),
            "host": field(
                own(when(text(253), "mode", &["connect"])),
                ["Host", "主机"],
                ["Host name, IPv4 or IPv6 address", "主机名、IPv4 或 IPv6 地址"],
            ),
            "port": field(
                json!({"type": "integer", "minimum": 1, "maximum": 65535}),
                ["Port", "端口"],
                [
                    "TCP port: the device's, or Weir's own where it listens",
                    "TCP 端口：设备的端口；监听方式下为 Weir 的端口",
                ],
            ),
            "allow": field(
                own(when(
                    json!({"type": "array", "maxItems": 256, "default": [],
                        "items": {"type": "string", "minLength": 1, "maxLength": 64}}),
                    "mode",
                    listening,
                )),
                ["Allowed devices", "允许的设备"],
                [
                    "Addresses or networks of the devices, such as 192.168.3.40 or 192.168.3.0/24; nobody else may connect",
                    "允许连接的设备地址或网段，如 192.168.3.40 或 192.168.3.0/24；其他来源一律拒绝",
                ],
            ),
            "address": field(
                advanced(when(json!({"type": ["string", "null"], "maxLength": 253}), "mode", listening)),
                ["Own address", "本机地址"],
                [
                    "Where Weir listens; at all its addresses unless given",
                    "Weir 监听的本机地址；不填则监听全部地址",
                ],
            ),
            "delimiter": field(
                choice(
                    &[
                        ("lf", ["LF or CR LF", "LF 或 CR LF"]),
                        ("cr", ["CR", "CR"]),
                        ("crlf", ["CR LF only", "仅 CR LF"]),
                        ("etx", ["ETX (after STX)", "ETX（以 STX 开头）"]),
                        ("custom", ["Other characters", "其他字符"]),
                    ],
                    "lf",
                ),
                ["Delimiter", "行结束符"],
                ["What ends a line", "标志一行结束的字符"],
            ),
            "delimiter_custom": field(
                when(json!({"type": ["string", "null"], "maxLength": 32}), "delimiter", &["custom"]),
                ["Other delimiter", "自定义结束符"],
                [
                    "1 to 8 characters; control characters as \\t or \\x1d",
                    "1 至 8 个字符；控制字符写作 \\t 或 \\x1d",
                ],
            ),
            "encoding": field(
                choice(
                    &[
                        ("utf-8", ["UTF-8", "UTF-8"]),
                        ("gbk", ["Chinese (GBK, GB 18030)", "简体中文（GBK、GB 18030）"]),
                        ("latin1", ["Western European", "西欧（Windows-1252）"]),
                    ],
                    "utf-8",
                ),
                ["Encoding", "字符编码"],
                ["How characters are bytes", "字符的编码方式"],
            ),
            "line_bytes_max": field(
                advanced(integer(1, LINE_BYTES_MAX as u64, 4096)),
                ["Longest line (bytes)", "最大行长（字节）"],
                [
                    "A device that sends more without a delimiter is disconnected",
                    "超过此长度仍未收到结束符时断开连接",
                ],
            ),
            "idle_seconds": field(
                advanced(json!({"type": ["integer", "null"], "minimum": 1, "maximum": 86_400, "default": null})),
                ["Idle time-out (s)", "空闲超时（秒）"],
                [
                    "For devices with a heartbeat: a connection over which nothing comes for so long is dropped",
                    "适用于有心跳的设备：超过此时间未收到任何数据则断开连接",
                ],
            ),
            "keep_alive_seconds": field(
                advanced(integer(1, 3600, 30)),
                ["Keep-alive (s)", "TCP 保活（秒）"],
                [
                    "How often TCP asks whether the device is still there; after three silences the connection is dropped",
                    "TCP 保活探测的间隔；连续三次无应答则断开连接",
                ],
            ),
            "connections_max": field(
                advanced(when(integer(1, CONNECTIONS_MAX, 32), "mode", listening)),
                ["Connections", "最大连接数"],
                ["Most devices that are connected at a time", "同时连接的最大设备数"],
            ),
            "timeout_ms": field(
                advanced(integer(10, 25_000, 3000)),
                ["Time-out (ms)", "超时（毫秒）"],
                [
                    "The longest that connecting, sending, and waiting for lines in a test may take",
                    "连接、发送以及测试时等待数据的最长时间",
                ],
            ),
        },
    })
}

fn address() -> Json {
    let receiving = ["text", "json", "fields"];
    let optional = |bytes_max: usize| json!({"type": ["string", "null"], "maxLength": bytes_max});
    json!({
        "type": "object",
        "additionalProperties": false,
        "x-order": ["format", "prefix", "pattern", "path", "field", "separator", "command", "source"],
        "properties": {
            "format": field(
                choice(
                    &[
                        ("text", ["Text", "文本"]),
                        ("fields", ["Fields between separators", "分隔字段"]),
                        ("json", ["JSON", "JSON"]),
                        ("command", ["Command: a line that is sent", "命令：向设备发送的行"]),
                    ],
                    "text",
                ),
                ["Format", "格式"],
                ["What of a line is the value", "取一行中的哪一部分作为数值"],
            ),
            "prefix": field(
                when(optional(256), "format", &receiving),
                ["Prefix", "前缀"],
                [
                    "Only lines that begin with this; it is no part of the value",
                    "仅处理以此开头的行，前缀不计入数值",
                ],
            ),
            "pattern": field(
                advanced(when(optional(PATTERN_BYTES_MAX), "format", &receiving)),
                ["Pattern", "正则表达式"],
                [
                    "Only lines of this form, a regular expression; its first group, or what it matches, is the value",
                    "仅处理与此正则表达式匹配的行；取其第一个分组，无分组时取匹配的部分",
                ],
            ),
            "path": field(
                when(optional(256), "format", &["json"]),
                ["JSON pointer", "JSON 指针"],
                ["Such as /tag/id; the whole unless given", "如 /tag/id；不填则取整行"],
            ),
            "field": field(
                when(json!({"type": ["string", "integer", "null"]}), "format", &["fields"]),
                ["Field", "字段"],
                [
                    "Its number from 1, or its name where fields are written as name=value",
                    "字段序号（从 1 开始）；字段写作“名称=值”时填名称",
                ],
            ),
            "separator": field(
                when(
                    json!({"type": ["string", "null"], "maxLength": 256, "default": ","}),
                    "format",
                    &["fields"],
                ),
                ["Separator", "分隔符"],
                ["What stands between fields; a tab as \\t", "字段之间的分隔符；制表符写作 \\t"],
            ),
            "command": field(
                when(
                    json!({"type": ["string", "null"], "maxLength": 256, "default": "{}"}),
                    "format",
                    &["command"],
                ),
                ["Command", "命令"],
                [
                    "The line to send, in which {} stands for the value that is written",
                    "要发送的行，其中 {} 代表写入的数值",
                ],
            ),
            "source": field(
                advanced(when(json!({"type": ["string", "null"], "maxLength": 64}), "format", &receiving)),
                ["Source", "来源地址"],
                [
                    "Only lines from the device with this address, where several connect to Weir",
                    "多台设备连接 Weir 时，仅处理来自此地址的行",
                ],
            ),
        },
    })
}
