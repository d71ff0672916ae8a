//! What a form for a Modbus device is made of.

use serde_json::{Value as Json, json};
use weir_connect::form::{self, advanced, field, integer, own};

pub(crate) fn schema() -> Json {
    let mut schema = form::description(["Modbus TCP", "Modbus TCP"], settings(), address());
    let about = [
        "Registers and coils of PLCs, meters, drives and gateways, polled",
        "轮询 PLC、仪表、变频器和网关的寄存器与线圈",
    ];
    schema["x-description"] = json!({"en": about[0], "zh-CN": about[1]});
    schema
}

fn settings() -> Json {
    json!({
        "type": "object",
        "required": ["host"],
        "additionalProperties": false,
        "x-order": ["host", "port", "unit", "poll_ms", "timeout_ms", "word_order",
            "gap_registers", "registers_max"],
        "properties": {
            "host": field(
                own(json!({"type": "string", "minLength": 1, "maxLength": 253})),
                ["Host", "主机"],
                ["Host name, IPv4 or IPv6 address", "主机名、IPv4 或 IPv6 地址"],
            ),
            "port": field(
                integer(1, 65535, 502),
                ["Port", "端口"],
                ["TCP port, usually 502", "TCP 端口，通常为 502"],
            ),
            "unit": field(
                integer(0, 255, 1),
                ["Unit", "单元号"],
                [
                    "The unit behind a gateway; most devices of their own take 1 or 255",
                    "网关后的从站单元号；独立设备通常为 1 或 255",
                ],
            ),
            "poll_ms": field(
                integer(10, 86_400_000, 1000),
                ["Interval (ms)", "采集周期（毫秒）"],
                ["How often points are read", "读取各测点的时间间隔"],
            ),
            "timeout_ms": field(
                advanced(integer(10, 60_000, 1000)),
                ["Time-out (ms)", "超时（毫秒）"],
                [
                    "The longest an answer may take; the connection is dropped then",
                    "等待应答的最长时间，超时后断开连接",
                ],
            ),
            "word_order": field(
                advanced(word_order()),
                ["Word order", "字节序"],
                [
                    "Order of the bytes of 32- and 64-bit values over registers",
                    "32 位和 64 位数值在寄存器中的字节顺序",
                ],
            ),
            "gap_registers": field(
                advanced(integer(0, 124, 8)),
                ["Gap (registers)", "合并间隔（寄存器）"],
                [
                    "Registers between two points that are read along in one request",
                    "两个测点之间允许一并读取的空闲寄存器数",
                ],
            ),
            "registers_max": field(
                advanced(integer(4, 125, 125)),
                ["Registers a request", "单次读取上限"],
                [
                    "Most registers of one request; some devices take fewer than 125",
                    "单次请求最多读取的寄存器数；部分设备少于 125",
                ],
            ),
        },
    })
}

fn address() -> Json {
    json!({
        "type": "object",
        "required": ["table", "address"],
        "additionalProperties": false,
        "x-order": ["table", "address", "type", "bit", "word_order", "unit"],
        "properties": {
            "table": field(
                json!({
                    "enum": ["coil", "discrete", "input", "holding"],
                    "default": "holding",
                    "x-enum-title": {
                        "coil": {"en": "Coil (0x)", "zh-CN": "线圈（0x）"},
                        "discrete": {"en": "Discrete input (1x)", "zh-CN": "离散输入（1x）"},
                        "input": {"en": "Input register (3x)", "zh-CN": "输入寄存器（3x）"},
                        "holding": {"en": "Holding register (4x)", "zh-CN": "保持寄存器（4x）"},
                    },
                }),
                ["Table", "数据区"],
                ["Which of the four tables", "四个数据区之一"],
            ),
            "address": field(
                integer(0, 65535, 0),
                ["Address", "地址"],
                [
                    "Counted from 0: a manual's 40001 is holding 0",
                    "从 0 开始计数：手册中的 40001 即保持寄存器 0",
                ],
            ),
            "type": field(
                json!({
                    "enum": ["bool", "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64"],
                    "default": "u16",
                }),
                ["Type", "数据类型"],
                ["What stands there", "该地址存放的数据类型"],
            ),
            "bit": field(
                json!({"type": ["integer", "null"], "minimum": 0, "maximum": 15}),
                ["Bit", "位"],
                ["Which bit of a register, 0 the lowest", "寄存器中的位号，0 为最低位"],
            ),
            "word_order": field(
                json!({"enum": ["ABCD", "CDAB", "BADC", "DCBA", null], "default": null}),
                ["Word order", "字节序"],
                ["Where it differs from the device's", "与设备默认字节序不同时填写"],
            ),
            "unit": field(
                json!({"type": ["integer", "null"], "minimum": 0, "maximum": 255}),
                ["Unit", "单元号"],
                ["Where it differs from the device's", "与设备默认单元号不同时填写"],
            ),
        },
    })
}

fn word_order() -> Json {
    json!({"enum": ["ABCD", "CDAB", "BADC", "DCBA"], "default": "ABCD"})
}
