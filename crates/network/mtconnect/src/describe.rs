//! What a form for an agent is made of.

use serde_json::{Value as Json, json};
use weir_connect::form::{self, advanced, choice, field, integer, own, text};

pub(crate) fn schema() -> Json {
    let mut schema = form::description(["MTConnect", "MTConnect"], settings(), address());
    let about = [
        "Machine tools behind an MTConnect agent: positions, states, programs and alarms, streamed",
        "通过 MTConnect 代理接入数控机床：位置、状态、程序和报警，流式推送",
    ];
    schema["x-description"] = json!({"en": about[0], "zh-CN": about[1]});
    schema
}

fn settings() -> Json {
    json!({
        "type": "object",
        "required": ["url"],
        "additionalProperties": false,
        "x-order": ["url", "device", "trusted", "interval_ms", "heartbeat_ms", "timeout_ms",
            "accept_expired"],
        "properties": {
            "url": field(
                own(text(2048)),
                ["Address of the agent", "代理地址"],
                [
                    "Such as http://10.0.0.7:5000; https where the agent has a certificate",
                    "例如 http://10.0.0.7:5000；代理配有证书时使用 https",
                ],
            ),
            "device": field(
                own(text(256)),
                ["Device", "设备"],
                [
                    "Name or UUID of one machine; empty for all machines of the agent",
                    "单台机床的名称或 UUID；留空则采集该代理下的全部机床",
                ],
            ),
            "trusted": form::trusted(),
            "accept_expired": form::accept_expired(),
            "interval_ms": field(
                integer(10, 600_000, 500),
                ["Interval (ms)", "推送间隔（毫秒）"],
                [
                    "How often the agent sends what has changed; nothing in between is lost",
                    "代理推送变化数据的间隔；间隔内的每次变化都会送达",
                ],
            ),
            "heartbeat_ms": field(
                advanced(integer(100, 600_000, 10_000)),
                ["Heartbeat (ms)", "心跳（毫秒）"],
                [
                    "How often the agent sends when nothing changes; silence beyond it and the time-out is a loss",
                    "无变化时代理发送心跳的间隔；静默超过心跳与超时之和即判定断线",
                ],
            ),
            "timeout_ms": field(
                advanced(integer(100, 60_000, 5000)),
                ["Time-out (ms)", "超时（毫秒）"],
                [
                    "The longest that connecting and each answer may take",
                    "建立连接和等待每次应答的最长时间",
                ],
            ),
        },
    })
}

fn address() -> Json {
    let part = choice(
        &[
            ("all", ["All that is active", "全部激活状态"]),
            ("state", ["Worst state", "最严重状态"]),
            ("code", ["Its native code", "报警代码"]),
            ("message", ["Its message", "报警文本"]),
        ],
        "all",
    );
    json!({
        "type": "object",
        "required": ["data_item"],
        "additionalProperties": false,
        "x-order": ["data_item", "device", "part"],
        "properties": {
            "data_item": field(
                text(256),
                ["Data item", "数据项"],
                ["Its id or, where that is unique, its name", "数据项的 id；名称唯一时也可填写名称"],
            ),
            "device": field(
                text(256),
                ["Device", "设备"],
                [
                    "Name or UUID of the machine, where several have a data item of that name",
                    "机床名称或 UUID，仅当多台机床有同名数据项时填写",
                ],
            ),
            "part": field(
                advanced(part),
                ["Part of a condition", "报警条件取值"],
                [
                    "What of a condition becomes the value of a text; numbers are 0 normal, 1 warning, 2 fault",
                    "条件类数据项作为文本时取哪一部分；数值型取 0 正常、1 警告、2 故障",
                ],
            ),
        },
    })
}
