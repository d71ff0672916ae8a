//! What a form for an edge node is made of.

use serde_json::{Value as Json, json};
use weir_connect::form::{self, advanced, choice, field, integer, own, text};
use weir_mqtt::{LINK_FIELDS, link_fields};

use crate::address::METRIC_BYTES_MAX;
use crate::topic::ID_BYTES_MAX;

/// Fields of a link that mean nothing here: a host's session is never kept (Sparkplug 3.0.0, 5.3).
const UNUSED: [&str; 2] = ["persistent", "session_expiry_s"];

pub(crate) fn schema() -> Json {
    let mut schema = form::description(["Sparkplug B", "Sparkplug B"], settings(), address());
    let about = [
        "An edge node and its devices, by Sparkplug B over MQTT",
        "通过 MQTT 上的 Sparkplug B 采集边缘节点及其下挂设备",
    ];
    schema["x-description"] = json!({"en": about[0], "zh-CN": about[1]});
    schema
}

fn settings() -> Json {
    let mut properties = link_fields();
    properties.retain(|name, _| !UNUSED.contains(&name.as_str()));
    let mut add = |name: &str, field: Json| properties.insert(name.to_owned(), field);
    add(
        "group",
        field(
            text(ID_BYTES_MAX),
            ["Group", "组"],
            ["The group (Group ID) of the edge node", "边缘节点所属的组（Group ID）"],
        ),
    );
    add(
        "edge_node",
        field(
            own(text(ID_BYTES_MAX)),
            ["Edge node", "边缘节点"],
            ["The edge node (Edge Node ID)", "边缘节点标识（Edge Node ID）"],
        ),
    );
    add(
        "primary",
        field(
            json!({"type": "boolean", "default": false}),
            ["Primary host", "主站"],
            [
                "Edge nodes that wait for this host keep their data while it is away",
                "本节点作为主站（Primary Host）：主站离线时，等待它的边缘节点会缓存数据",
            ],
        ),
    );
    add(
        "host_id",
        field(
            text(ID_BYTES_MAX),
            ["Host identifier", "主站标识"],
            [
                "The identifier of the primary host that edge nodes are set up with",
                "边缘节点中配置的主站标识（Host ID）",
            ],
        ),
    );
    add(
        "state",
        field(
            advanced(choice(
                &[
                    ("3.0", ["Sparkplug 3.0 (JSON)", "Sparkplug 3.0（JSON）"]),
                    (
                        "2.2",
                        ["Sparkplug 2.2 (ONLINE, OFFLINE)", "Sparkplug 2.2（ONLINE、OFFLINE）"],
                    ),
                ],
                "3.0",
            )),
            ["STATE messages", "STATE 报文"],
            [
                "How the host says that it is there; older edge nodes know 2.2 only",
                "主站在线状态的报文格式；较早的边缘节点仅支持 2.2",
            ],
        ),
    );
    add(
        "reorder_ms",
        field(
            advanced(integer(50, 60_000, 2000)),
            ["Reordering time (ms)", "重排等待（毫秒）"],
            [
                "How long a missing message may take before the edge node is asked for new births",
                "消息缺失时的等待时间，超时后请求边缘节点重新上线（Rebirth）",
            ],
        ),
    );
    add(
        "birth_ms",
        field(
            advanced(integer(100, 30_000, 5000)),
            ["Birth time (ms)", "上线等待（毫秒）"],
            [
                "How long births may take after they were asked for",
                "请求重新上线后等待 BIRTH 报文的时间",
            ],
        ),
    );
    add(
        "listen_ms",
        field(
            advanced(integer(100, 20_000, 5000)),
            ["Listening time (ms)", "监听时间（毫秒）"],
            ["How long discovery listens for edge nodes", "搜索边缘节点时的监听时长"],
        ),
    );
    let own = [
        "group",
        "edge_node",
        "primary",
        "host_id",
        "state",
        "reorder_ms",
        "birth_ms",
        "listen_ms",
    ];
    let order: Vec<_> =
        LINK_FIELDS.into_iter().filter(|name| !UNUSED.contains(name)).chain(own).collect();
    json!({
        "type": "object",
        "required": ["group", "edge_node"],
        "additionalProperties": false,
        "x-order": order,
        "properties": properties,
    })
}

fn address() -> Json {
    json!({
        "type": "object",
        "required": ["metric"],
        "additionalProperties": false,
        "x-order": ["device", "metric"],
        "properties": {
            "device": field(
                json!({"type": ["string", "null"], "minLength": 1, "maxLength": ID_BYTES_MAX}),
                ["Device", "设备"],
                ["The device behind the edge node; empty for a metric of the edge node itself", "边缘节点下挂的设备；留空表示边缘节点自身的测点"],
            ),
            "metric": field(
                text(METRIC_BYTES_MAX),
                ["Metric", "测点（Metric）"],
                [
                    "The name of the metric; members of templates and columns of data sets behind it and a slash",
                    "测点名称；模板成员和数据集的列以斜杠接在其后",
                ],
            ),
        },
    })
}
