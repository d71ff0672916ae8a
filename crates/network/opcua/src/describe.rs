//! What a form for an OPC UA device is made of.

use serde_json::{Value as Json, json};
use weir_connect::form::{self, advanced, choice, field, integer, own, secret, text, when};

use crate::address::ATTRIBUTES;

pub(crate) fn schema() -> Json {
    let mut schema = form::description(["OPC UA", "OPC UA"], settings(), address());
    let about = [
        "Servers of controllers, machines, gateways and control systems, subscribed to",
        "订阅控制器、机器、网关及控制系统的 OPC UA 服务器",
    ];
    schema["x-description"] = json!({"en": about[0], "zh-CN": about[1]});
    schema
}

fn settings() -> Json {
    let mut properties = json!({});
    for group in [security(), user(), reporting()] {
        if let (Some(all), Json::Object(group)) = (properties.as_object_mut(), group) {
            all.extend(group);
        }
    }
    properties["url"] = field(
        own(text(2048)),
        ["Server", "服务器"],
        [
            "Address of the server, such as opc.tcp://192.168.0.10:4840; search it to choose one of its endpoints",
            "服务器地址，例如 opc.tcp://192.168.0.10:4840；可先搜索再选择其端点",
        ],
    );
    properties["trusted"] = form::trusted();
    properties["accept_expired"] = form::accept_expired();
    json!({
        "type": "object",
        "required": ["url"],
        "additionalProperties": false,
        "x-order": ["url", "security_policy", "security_mode", "trusted", "auth", "user", "password",
            "certificate", "key", "plain_password", "publishing_ms", "sampling_ms", "queue_size", "deadband",
            "timeout_ms", "keep_alive_ms", "locales", "accept_expired"],
        "properties": properties,
    })
}

fn security() -> Json {
    let policies = [
        ("Aes256-Sha256-RsaPss", ["Aes256-Sha256-RsaPss", "Aes256-Sha256-RsaPss"]),
        ("Aes128-Sha256-RsaOaep", ["Aes128-Sha256-RsaOaep", "Aes128-Sha256-RsaOaep"]),
        ("Basic256Sha256", ["Basic256Sha256", "Basic256Sha256"]),
        ("Basic256", ["Basic256 (deprecated)", "Basic256（已弃用）"]),
        ("Basic128Rsa15", ["Basic128Rsa15 (deprecated)", "Basic128Rsa15（已弃用）"]),
        ("None", ["None: nothing is protected", "无：不作任何保护"]),
    ];
    let modes = [
        ("SignAndEncrypt", ["Sign and encrypt", "签名并加密"]),
        ("Sign", ["Sign", "仅签名"]),
        ("None", ["None", "无"]),
    ];
    json!({
        "security_policy": field(
            choice(&policies, "Basic256Sha256"),
            ["Security policy", "安全策略"],
            [
                "The rules by which messages are protected; the server says which it knows",
                "保护报文所用的算法组合；服务器会告知其支持的策略",
            ],
        ),
        "security_mode": field(
            choice(&modes, "SignAndEncrypt"),
            ["Security mode", "安全模式"],
            [
                "Whether messages are signed, and also encrypted; policy None goes with mode None",
                "报文是否签名、是否加密；策略为“无”时模式也为“无”",
            ],
        ),
    })
}

fn user() -> Json {
    let kinds = [
        ("anonymous", ["Anonymous", "匿名"]),
        ("user", ["User name and password", "用户名和密码"]),
        ("certificate", ["User certificate", "用户证书"]),
    ];
    let of_user = ["user"];
    let of_certificate = ["certificate"];
    json!({
        "auth": field(
            choice(&kinds, "anonymous"),
            ["Sign-in", "登录方式"],
            ["As whom the server is used", "以何种身份访问服务器"],
        ),
        "user": field(
            when(text(1024), "auth", &of_user),
            ["User", "用户名"],
            ["A user of the server", "服务器上的用户"],
        ),
        "password": field(
            secret(when(json!({"type": "string", "maxLength": 1024}), "auth", &of_user)),
            ["Password", "密码"],
            ["The user's password", "该用户的密码"],
        ),
        "plain_password": field(
            advanced(when(json!({"type": "boolean", "default": false}), "auth", &of_user)),
            ["Allow an unprotected password", "允许明文密码"],
            [
                "Send the password even without a security policy, readable by anyone on the way",
                "即使无安全策略也发送密码，途中任何人均可读取",
            ],
        ),
        "certificate": field(
            own(when(text(16 * 1024), "auth", &of_certificate)),
            ["User certificate", "用户证书"],
            [
                "X.509 certificate of the user in PEM; the server must know it",
                "用户的 X.509 证书（PEM 格式），须在服务器上登记",
            ],
        ),
        "key": field(
            secret(when(text(16 * 1024), "auth", &of_certificate)),
            ["Private key", "私钥"],
            [
                "RSA private key of the user certificate in PEM, without a password",
                "用户证书的 RSA 私钥（PEM 格式，无口令）",
            ],
        ),
    })
}

fn reporting() -> Json {
    json!({
        "publishing_ms": field(
            integer(10, 3_600_000, 1000),
            ["Publishing interval (ms)", "发布周期（毫秒）"],
            ["How often the server reports what has changed", "服务器上报变化的时间间隔"],
        ),
        "sampling_ms": field(
            integer(0, 86_400_000, 1000),
            ["Sampling interval (ms)", "采样周期（毫秒）"],
            [
                "How often the server looks at a value; 0 asks for every change",
                "服务器检查数值的时间间隔；0 表示每次变化都上报",
            ],
        ),
        "queue_size": field(
            advanced(integer(1, 1000, 10)),
            ["Queue size", "队列长度"],
            [
                "Changes of one value that the server keeps between two reports",
                "两次上报之间服务器为每个数值保留的变化个数",
            ],
        ),
        "deadband": deadband(),
        "timeout_ms": field(
            advanced(integer(100, 30_000, 5000)),
            ["Time-out (ms)", "超时（毫秒）"],
            ["The longest an answer may take", "等待应答的最长时间"],
        ),
        "keep_alive_ms": field(
            advanced(integer(100, 600_000, 5000)),
            ["Keep-alive (ms)", "心跳周期（毫秒）"],
            [
                "How often a server without news is asked whether it is there",
                "服务器无数据上报时，确认其是否在线的时间间隔",
            ],
        ),
        "locales": field(
            advanced(json!({"type": "array", "maxItems": 8, "default": [],
                "items": {"type": "string", "minLength": 1, "maxLength": 35}})),
            ["Languages", "语言"],
            [
                "Languages for the server's names and texts, the best one first, such as zh-CN",
                "服务器名称与文本的首选语言，按优先级排列，例如 zh-CN",
            ],
        ),
    })
}

fn deadband() -> Json {
    let kinds = [
        ("none", ["Every change", "任何变化"]),
        ("absolute", ["Absolute", "绝对值"]),
        ("percent", ["Percent of the range", "量程百分比"]),
    ];
    let object = json!({
        "type": "object",
        "required": ["type"],
        "additionalProperties": false,
        "x-order": ["type", "value"],
        "properties": {
            "type": field(
                choice(&kinds, "none"),
                ["Deadband", "死区类型"],
                ["How the deadband is measured", "死区的计量方式"],
            ),
            "value": field(
                when(json!({"type": "number", "exclusiveMinimum": 0}), "type", &["absolute", "percent"]),
                ["Width", "死区宽度"],
                [
                    "In the value's unit, or in percent of its EURange",
                    "以数值单位计，或以其工程量程（EURange）的百分比计",
                ],
            ),
        },
    });
    field(
        advanced(object),
        ["Deadband", "死区"],
        [
            "How far a number must move before the server reports it",
            "数值变化超过此范围时服务器才上报",
        ],
    )
}

fn address() -> Json {
    let attributes: Vec<_> = ATTRIBUTES.iter().map(|(name, _)| *name).collect();
    json!({
        "type": "object",
        "required": ["node"],
        "additionalProperties": false,
        "x-order": ["node", "index", "field", "attribute", "sampling_ms", "queue_size", "deadband"],
        "properties": {
            "node": field(
                text(80 * 1024),
                ["Node", "节点"],
                [
                    "Node identifier, such as nsu=urn:plc;s=Line1.Speed or ns=2;i=5",
                    "节点标识，例如 nsu=urn:plc;s=Line1.Speed 或 ns=2;i=5",
                ],
            ),
            "index": field(
                advanced(json!({"type": ["integer", "string"], "minimum": 0})),
                ["Index", "下标"],
                [
                    "Element of an array, such as 3, or a range, such as 0:9",
                    "数组元素的下标，例如 3；或范围，例如 0:9",
                ],
            ),
            "field": field(
                advanced(text(1024)),
                ["Field", "结构字段"],
                [
                    "Field of a structure, with points into nested ones, such as Axis.Position",
                    "结构体的字段，用点号进入嵌套结构，例如 Axis.Position",
                ],
            ),
            "attribute": field(
                advanced(json!({"enum": attributes, "default": "Value"})),
                ["Attribute", "属性"],
                ["Nearly always the value", "通常为 Value（值）"],
            ),
            "sampling_ms": field(
                advanced(json!({"type": "integer", "minimum": 0, "maximum": 86_400_000})),
                ["Sampling interval (ms)", "采样周期（毫秒）"],
                ["Where it differs from the device's", "与设备设置不同时填写"],
            ),
            "queue_size": field(
                advanced(json!({"type": "integer", "minimum": 1, "maximum": 1000})),
                ["Queue size", "队列长度"],
                ["Where it differs from the device's", "与设备设置不同时填写"],
            ),
            "deadband": deadband(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each_field(object: &Json, check: &mut dyn FnMut(&str, &Json)) {
        for (name, field) in object["properties"].as_object().unwrap() {
            check(name, field);
            if field.get("properties").is_some() {
                each_field(field, check);
            }
        }
    }

    #[test]
    fn every_field_is_titled_in_both_languages_and_stands_in_the_order() {
        let schema = schema();
        for part in ["settings", "address"] {
            each_field(&schema[part], &mut |name, field| {
                for key in ["x-title", "x-description"] {
                    for language in ["en", "zh-CN"] {
                        assert!(
                            field[key][language].as_str().is_some_and(|t| !t.is_empty()),
                            "{name}"
                        );
                    }
                }
            });
            let mut order: Vec<_> = schema[part]["x-order"]
                .as_array()
                .unwrap()
                .iter()
                .map(|n| n.as_str().unwrap())
                .collect();
            order.sort_unstable();
            let properties = schema[part]["properties"].as_object().unwrap();
            let mut names: Vec<_> = properties.keys().map(String::as_str).collect();
            names.sort_unstable();
            assert_eq!(order, names);
        }
        for sealed in ["password", "key"] {
            assert_eq!(schema["settings"]["properties"][sealed]["x-secret"], true);
        }
    }
}
