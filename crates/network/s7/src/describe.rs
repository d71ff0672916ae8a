//! What a form for an S7 device is made of.

use serde_json::{Value as Json, json};
use weir_connect::form::{self, advanced, choice, field, integer, own, text, when};

use crate::{PDU_BYTES_MAX, WSTRING_LENGTH_MAX};

pub(crate) fn schema() -> Json {
    let title = ["Siemens S7 (S7comm)", "西门子 S7（S7comm）"];
    let mut schema = form::description(title, settings(), address());
    let about = [
        "Data blocks, merkers, inputs and outputs of S7 CPUs, polled. The CPU must permit PUT/GET access, and data blocks must not be optimised",
        "轮询 S7 CPU 的数据块、位存储器、输入和输出。CPU 须允许 PUT/GET 访问，数据块须关闭“优化的块访问”",
    ];
    schema["x-description"] = json!({"en": about[0], "zh-CN": about[1]});
    schema
}

fn settings() -> Json {
    json!({
        "type": "object",
        "required": ["host"],
        "additionalProperties": false,
        "x-order": ["host", "port", "rack", "slot", "poll_ms", "timeout_ms", "connection",
            "remote_tsap", "local_tsap", "encoding", "gap_bytes", "pdu_bytes_max"],
        "properties": {
            "host": field(
                own(text(253)),
                ["Host", "主机"],
                ["Host name, IPv4 or IPv6 address", "主机名、IPv4 或 IPv6 地址"],
            ),
            "port": field(
                integer(1, 65535, 102),
                ["Port", "端口"],
                ["TCP port, usually 102", "TCP 端口，通常为 102"],
            ),
            "rack": field(
                integer(0, 7, 0),
                ["Rack", "机架号"],
                ["Usually 0", "通常为 0"],
            ),
            "slot": field(
                integer(0, 31, 1),
                ["Slot", "槽号"],
                [
                    "The CPU's slot: 1 for S7-1200 and S7-1500, 2 for S7-300, as configured for S7-400",
                    "CPU 所在槽号：S7-1200 和 S7-1500 为 1，S7-300 为 2，S7-400 以硬件组态为准",
                ],
            ),
            "poll_ms": field(
                integer(10, 86_400_000, 1000),
                ["Interval (ms)", "采集周期（毫秒）"],
                ["How often points are read", "读取各测点的时间间隔"],
            ),
            "timeout_ms": field(
                advanced(integer(10, 15_000, 2000)),
                ["Time-out (ms)", "超时（毫秒）"],
                [
                    "The longest an answer may take; the connection is dropped then",
                    "等待应答的最长时间，超时后断开连接",
                ],
            ),
            "connection": field(
                advanced(connection()),
                ["Connection type", "连接类型"],
                [
                    "A CPU keeps a number of connections of each type; take another where none is left",
                    "CPU 为每种类型保留若干连接资源；资源用尽时可改用其他类型",
                ],
            ),
            "remote_tsap": field(
                advanced(tsap()),
                ["Remote TSAP", "远程 TSAP"],
                [
                    "Instead of rack and slot, in hexadecimal, such as 02.00, for devices that have none; see the manual",
                    "用于没有机架号和槽号的设备，十六进制，如 02.00；参见设备手册",
                ],
            ),
            "local_tsap": field(
                advanced(tsap()),
                ["Local TSAP", "本地 TSAP"],
                ["In hexadecimal; 01.00 unless given", "十六进制；不填时为 01.00"],
            ),
            "encoding": field(
                advanced(encoding()),
                ["Text encoding", "文本编码"],
                ["How the characters of STRING and CHAR are bytes", "STRING 和 CHAR 中字符的编码方式"],
            ),
            "gap_bytes": field(
                advanced(integer(0, 200, 16)),
                ["Gap (bytes)", "合并间隔（字节）"],
                [
                    "Bytes between two points that are read along in one item",
                    "两个测点之间允许一并读取的空闲字节数",
                ],
            ),
            "pdu_bytes_max": field(
                advanced(integer(240, PDU_BYTES_MAX.into(), PDU_BYTES_MAX.into())),
                ["Message size", "报文长度上限"],
                [
                    "The size of messages that is offered; the CPU may take less",
                    "协商时提出的 PDU 长度（字节）；CPU 可以选用更小的值",
                ],
            ),
        },
    })
}

fn connection() -> Json {
    let choices = [
        ("pg", ["Programming device (PG)", "编程设备（PG）"]),
        ("op", ["Operator panel (OP)", "操作面板（OP）"]),
        ("basic", ["S7 basic", "S7 基本通信"]),
    ];
    choice(&choices, "pg")
}

fn encoding() -> Json {
    let choices = [
        ("latin1", ["Western European", "西欧（Windows-1252）"]),
        ("gbk", ["Chinese (GBK)", "简体中文（GBK）"]),
        ("utf-8", ["UTF-8", "UTF-8"]),
    ];
    choice(&choices, "latin1")
}

fn tsap() -> Json {
    json!({"type": ["string", "null"], "pattern": "^(0x)?[0-9A-Fa-f]{2}\\.?[0-9A-Fa-f]{2}$"})
}

fn address() -> Json {
    let bytes = ["db", "input", "output", "merker"];
    json!({
        "type": "object",
        "additionalProperties": false,
        "anyOf": [{"required": ["address"]}, {"required": ["area"]}],
        "x-order": ["address", "area", "db", "byte", "number", "type", "bit", "length"],
        "properties": {
            "address": field(
                json!({"type": ["string", "null"], "maxLength": 100}),
                ["Address", "地址"],
                [
                    "As a text, instead of the fields below: DB1.DBD10:REAL, DB1,REAL10, DB1.DBX10.3, M10.3, MW10, T5",
                    "以文本填写，代替下列各项：DB1.DBD10:REAL、DB1,REAL10、DB1.DBX10.3、M10.3、MW10、T5",
                ],
            ),
            "area": field(
                area(),
                ["Area", "存储区"],
                ["Where the value stands", "数值所在的存储区"],
            ),
            "db": field(
                when(json!({"type": ["integer", "null"], "minimum": 1, "maximum": 65535}), "area", &["db"]),
                ["Data block", "数据块号"],
                [
                    "Its number; optimised data blocks cannot be read",
                    "数据块编号；启用“优化的块访问”的数据块无法读取",
                ],
            ),
            "byte": field(
                when(json!({"type": ["integer", "null"], "minimum": 0, "maximum": 65535}), "area", &bytes),
                ["First byte", "起始字节"],
                ["Counted from 0", "从 0 开始计数"],
            ),
            "number": field(
                when(
                    json!({"type": ["integer", "null"], "minimum": 0, "maximum": 65535}),
                    "area",
                    &["timer", "counter"],
                ),
                ["Number", "编号"],
                ["Of the timer or counter", "定时器或计数器的编号"],
            ),
            "type": field(
                raw_type(),
                ["Type", "数据类型"],
                ["What stands there", "该地址存放的数据类型"],
            ),
            "bit": field(
                when(
                    json!({"type": ["integer", "null"], "minimum": 0, "maximum": 7}),
                    "type",
                    &["bool"],
                ),
                ["Bit", "位"],
                ["Which bit of the byte, 0 the lowest", "字节中的位号，0 为最低位"],
            ),
            "length": field(
                when(
                    json!({"type": ["integer", "null"], "minimum": 1, "maximum": WSTRING_LENGTH_MAX}),
                    "type",
                    &["string", "wstring"],
                ),
                ["Length", "长度"],
                [
                    "Characters that the text has room for, 254 unless given",
                    "文本可容纳的字符数，不填时为 254",
                ],
            ),
        },
    })
}

fn area() -> Json {
    let choices = [
        ("db", ["Data block (DB)", "数据块（DB）"]),
        ("merker", ["Merker (M)", "位存储器（M）"]),
        ("input", ["Input (I, E)", "输入（I）"]),
        ("output", ["Output (Q, A)", "输出（Q）"]),
        ("timer", ["Timer (T)", "定时器（T）"]),
        ("counter", ["Counter (C, Z)", "计数器（C）"]),
    ];
    choice(&choices, "db")
}

fn raw_type() -> Json {
    let choices = [
        ("bool", ["BOOL: a bit", "BOOL：位"]),
        ("byte", ["BYTE, USINT: 8 bits", "BYTE、USINT：8 位无符号"]),
        ("usint", ["USINT: 8 bits, unsigned", "USINT：8 位无符号"]),
        ("sint", ["SINT: 8 bits, signed", "SINT：8 位有符号"]),
        ("char", ["CHAR: a character", "CHAR：单个字符"]),
        ("word", ["WORD: 16 bits", "WORD：16 位无符号"]),
        ("uint", ["UINT: 16 bits, unsigned", "UINT：16 位无符号"]),
        ("int", ["INT: 16 bits, signed", "INT：16 位有符号"]),
        ("dword", ["DWORD: 32 bits", "DWORD：32 位无符号"]),
        ("udint", ["UDINT: 32 bits, unsigned", "UDINT：32 位无符号"]),
        ("dint", ["DINT: 32 bits, signed", "DINT：32 位有符号"]),
        ("lword", ["LWORD: 64 bits", "LWORD：64 位无符号"]),
        ("ulint", ["ULINT: 64 bits, unsigned", "ULINT：64 位无符号"]),
        ("lint", ["LINT: 64 bits, signed", "LINT：64 位有符号"]),
        ("real", ["REAL: 32-bit float", "REAL：32 位浮点数"]),
        ("lreal", ["LREAL: 64-bit float", "LREAL：64 位浮点数"]),
        ("string", ["STRING", "STRING：字符串"]),
        ("wstring", ["WSTRING", "WSTRING：宽字符串"]),
        ("time", ["TIME: milliseconds", "TIME：毫秒"]),
        ("date", ["DATE", "DATE：日期"]),
        ("time_of_day", ["TIME_OF_DAY", "TIME_OF_DAY：日时间"]),
        ("date_and_time", ["DATE_AND_TIME", "DATE_AND_TIME：日期和时间"]),
        ("dtl", ["DTL", "DTL：长日期和时间"]),
        ("s5time", ["S5TIME: milliseconds", "S5TIME：毫秒"]),
        ("bcd", ["BCD: three decimals", "BCD：三位十进制数"]),
    ];
    choice(&choices, "byte")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::{AREAS, TYPES};

    #[test]
    fn forms_offer_what_addresses_take() {
        let schema = schema();
        let of = |field: &str| schema["address"]["properties"][field]["enum"].clone();
        let types: Vec<_> = TYPES.iter().map(|(name, _)| *name).collect();
        assert_eq!(of("type"), json!(types));
        let areas = of("area").as_array().map(Vec::len);
        assert_eq!(areas, Some(AREAS.len()));
        for part in ["settings", "address"] {
            let properties = schema[part]["properties"].as_object().unwrap();
            let order = schema[part]["x-order"].as_array().unwrap();
            assert_eq!(properties.len(), order.len());
            for (name, field) in properties {
                assert!(order.contains(&json!(name)), "{name}");
                for tag in ["en", "zh-CN"] {
                    assert!(field["x-title"][tag].is_string(), "{name}");
                    assert!(field["x-description"][tag].is_string(), "{name}");
                }
            }
        }
    }
}
