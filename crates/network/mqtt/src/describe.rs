//! What a form for an MQTT device is made of.

use serde_json::{Value as Json, json};
use weir_connect::form::{self, advanced, choice, field, integer, text, when};

use crate::address::POINTER_BYTES_MAX;
use crate::settings::{FILTERS_MAX, LINK_FIELDS, link_fields};
use crate::topic::TOPIC_BYTES_MAX;

pub(crate) fn schema() -> Json {
    let mut schema = form::description(["MQTT", "MQTT"], settings(), address());
    let about = [
        "JSON, text and raw topics of a broker in the network or of this node's own",
        "采集外部代理或本节点内置代理上的 JSON、文本和二进制主题",
    ];
    schema["x-description"] = json!({"en": about[0], "zh-CN": about[1]});
    schema
}

fn settings() -> Json {
    let mut properties = link_fields();
    let mut add = |name: &str, field: Json| properties.insert(name.to_owned(), field);
    add(
        "qos",
        field(
            advanced(integer(0, 1, 1)),
            ["Quality of service", "服务质量（QoS）"],
            [
                "1: the broker repeats what was not stored; 0: messages may be lost",
                "1：未落盘的消息由代理重发；0：消息可能丢失",
            ],
        ),
    );
    add(
        "topics",
        field(
            advanced(json!({"type": "array", "maxItems": FILTERS_MAX, "default": [],
            "items": {"type": "string", "minLength": 1, "maxLength": TOPIC_BYTES_MAX}})),
            ["Subscriptions", "订阅主题"],
            [
                "Topic filters to subscribe to, also $share/group/filter; where empty, the topics of the points",
                "订阅的主题过滤器，支持 $share/组/过滤器；留空时订阅各测点的主题",
            ],
        ),
    );
    add(
        "listen_ms",
        field(
            advanced(integer(100, 20_000, 3000)),
            ["Listening time (ms)", "监听时间（毫秒）"],
            ["How long browsing listens for messages", "浏览主题时监听消息的时长"],
        ),
    );
    let order: Vec<_> = LINK_FIELDS.into_iter().chain(["qos", "topics", "listen_ms"]).collect();
    json!({
        "type": "object",
        "required": [],
        "additionalProperties": false,
        "x-order": order,
        "properties": properties,
    })
}

fn pointer() -> Json {
    text(POINTER_BYTES_MAX)
}

fn address() -> Json {
    let is_json = |schema| when(schema, "format", &["json"]);
    let is_raw = |schema| when(schema, "format", &["raw"]);
    json!({
        "type": "object",
        "required": ["topic"],
        "additionalProperties": false,
        "x-order": ["topic", "format", "path", "type", "byte_order", "offset", "time", "time_format", "quality",
            "quality_codes", "partial", "write_topic", "write_template", "write_retain"],
        "properties": {
            "topic": field(
                text(TOPIC_BYTES_MAX),
                ["Topic", "主题"],
                ["The topic whose messages hold the value, without wildcards", "承载该值的消息主题，不含通配符"],
            ),
            "format": field(
                choice(&[("json", ["JSON", "JSON"]), ("text", ["Text", "文本"]), ("raw", ["Bytes", "二进制"])], "json"),
                ["Format", "格式"],
                ["What the messages are", "消息内容的格式"],
            ),
            "path": field(
                is_json(pointer()),
                ["Path", "路径"],
                [
                    "JSON pointer to the value, such as /motor/0/speed; $ or empty for the whole message",
                    "指向该值的 JSON 指针，如 /motor/0/speed；$ 或留空表示整条消息",
                ],
            ),
            "type": field(
                is_raw(json!({
                    "enum": ["bool", "u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64"],
                    "default": "f64",
                })),
                ["Type", "数据类型"],
                ["What stands there", "该位置存放的数据类型"],
            ),
            "byte_order": field(
                is_raw(choice(&[
                    ("big", ["Highest byte first", "大端（高字节在前）"]),
                    ("little", ["Lowest byte first", "小端（低字节在前）"]),
                ], "big")),
                ["Byte order", "字节序"],
                ["In which order the bytes come", "多字节数值的字节顺序"],
            ),
            "offset": field(
                is_raw(integer(0, 1 << 20, 0)),
                ["Offset", "偏移"],
                ["The first byte of the value, from 0", "该值的起始字节，从 0 开始"],
            ),
            "time": field(
                advanced(is_json(pointer())),
                ["Time at", "时间路径"],
                [
                    "JSON pointer to the time of the value; where empty, it is when the message arrives",
                    "指向采样时间的 JSON 指针；留空时取消息到达时间",
                ],
            ),
            "time_format": field(
                advanced(is_json(choice(&[
                    ("rfc3339", ["RFC 3339 text with a zone", "带时区的 RFC 3339 文本"]),
                    ("s", ["Seconds since 1970", "1970 年起的秒"]),
                    ("ms", ["Milliseconds since 1970", "1970 年起的毫秒"]),
                    ("us", ["Microseconds since 1970", "1970 年起的微秒"]),
                    ("ns", ["Nanoseconds since 1970", "1970 年起的纳秒"]),
                ], "rfc3339"))),
                ["Time format", "时间格式"],
                ["How the time is written", "时间的书写方式"],
            ),
            "quality": field(
                advanced(is_json(pointer())),
                ["Quality at", "质量路径"],
                [
                    "JSON pointer to the quality: good, uncertain, bad, true, false or a code",
                    "指向质量的 JSON 指针：good、uncertain、bad、true、false 或质量码",
                ],
            ),
            "quality_codes": field(
                advanced(is_json(choice(&[
                    ("opcua", ["OPC UA status codes", "OPC UA 状态码"]),
                    ("opcda", ["OPC DA quality byte", "OPC DA 质量字节"]),
                ], "opcua"))),
                ["Quality codes", "质量码"],
                ["What a number means that stands for a quality", "质量为数字时的含义"],
            ),
            "partial": field(
                advanced(is_json(json!({"type": "boolean", "default": false}))),
                ["May be missing", "允许缺省"],
                [
                    "Messages may lack the value and then say nothing of it; else that is a fault",
                    "消息中可以没有该值，此时不更新；否则视为故障",
                ],
            ),
            "write_topic": field(
                text(TOPIC_BYTES_MAX),
                ["Write to", "写入主题"],
                ["The topic that writes are published to", "写入时发布到的主题"],
            ),
            "write_template": field(
                advanced(json!({"type": "string", "minLength": 1, "maxLength": 16384, "x-multiline": true})),
                ["Message of a write", "写入消息模板"],
                [
                    "Text with {value} (JSON) or {text} (without quotes), {time} and {time_ms} in it; where empty, the value in the point's format",
                    "模板文本，可含 {value}（JSON）、{text}（不带引号）、{time}、{time_ms}；留空时按测点格式发送",
                ],
            ),
            "write_retain": field(
                advanced(json!({"type": "boolean", "default": false})),
                ["Retain writes", "保留写入消息"],
                ["Whether the broker keeps the message for later subscribers", "代理是否为后来的订阅者保留该消息"],
            ),
        },
    })
}
