//! What a form for a query is made of.

use serde_json::{Value as Json, json};
use weir_connect::form::{self, advanced, choice, field, integer, own, secret, text, when};
use weir_connect::tls::PEM_BYTES_MAX;

use crate::files::describe::{time_format, time_zone};

pub(crate) fn schema() -> Json {
    let mut schema = form::description(
        ["PostgreSQL query", "PostgreSQL 查询"],
        settings(),
        crate::table::describe(),
    );
    let about = [
        "New rows of a database: MES, LIMS, SCADA archives, energy meters",
        "按游标增量读取数据库新行：MES、LIMS、SCADA 归档、能源计量",
    ];
    schema["x-description"] = json!({"en": about[0], "zh-CN": about[1]});
    schema
}

fn settings() -> Json {
    let mut properties = server();
    let query = query();
    if let (Some(all), Some(query)) = (properties.as_object_mut(), query.as_object()) {
        all.extend(query.iter().map(|(name, field)| (name.clone(), field.clone())));
    }
    json!({
        "type": "object",
        "required": ["host", "user", "query", "cursor_column", "cursor_start"],
        "additionalProperties": false,
        "x-order": ["host", "port", "database", "user", "password", "sslmode", "ca", "trusted",
            "query", "cursor_column", "cursor_start", "time_column", "time_format", "time_zone",
            "poll_s", "settle_s", "rows_max", "timeout_ms", "accept_expired"],
        "properties": properties,
    })
}

fn server() -> Json {
    json!({
        "host": field(
            own(text(253)),
            ["Host", "主机"],
            ["Host name, IPv4 or IPv6 address", "主机名、IPv4 或 IPv6 地址"],
        ),
        "port": field(integer(1, 65535, 5432), ["Port", "端口"], ["TCP port, usually 5432", "TCP 端口，通常为 5432"]),
        "database": field(
            json!({"type": "string", "minLength": 1, "maxLength": 256, "default": "postgres"}),
            ["Database", "数据库"],
            ["Its name", "数据库名称"],
        ),
        "user": field(
            text(256),
            ["User", "用户"],
            ["One that may only read is enough, and best", "只读用户即可，也最稳妥"],
        ),
        "password": field(
            secret(text(256)),
            ["Password", "密码"],
            ["Empty where the server asks for none", "服务器不要求密码时留空"],
        ),
        "sslmode": field(
            choice(
                &[("require", ["Encrypted", "加密"]), ("off", ["Not encrypted", "不加密"])],
                "require",
            ),
            ["Encryption", "加密"],
            [
                "Without it, password and rows can be read on the way",
                "不加密时，密码和数据在传输途中可被窃取",
            ],
        ),
        "ca": field(
            advanced(when(text(PEM_BYTES_MAX), "sslmode", &["require"])),
            ["Certificate authority", "证书颁发机构"],
            [
                "In PEM; certificates that it signed for the host name are trusted",
                "PEM 格式；由其为该主机名签发的证书即受信任",
            ],
        ),
        "trusted": when(form::trusted(), "sslmode", &["require"]),
        "accept_expired": when(form::accept_expired(), "sslmode", &["require"]),
        "timeout_ms": field(
            advanced(integer(100, 60_000, 10_000)),
            ["Time-out (ms)", "超时（毫秒）"],
            ["The longest that connecting and a query may take", "建立连接和执行查询的最长时间"],
        ),
    })
}

fn query() -> Json {
    json!({
        "query": field(
            json!({"type": "string", "minLength": 1, "maxLength": 16 * 1024, "x-multiline": true}),
            ["Query", "查询语句"],
            [
                "One SELECT; $1 is the cursor, and where it is not named, rows behind the cursor are taken",
                "单条 SELECT；$1 代表游标，未写明时自动取游标之后的行",
            ],
        ),
        "cursor_column": field(
            text(256),
            ["Cursor column", "游标列"],
            [
                "A column of the result that only rises, such as a serial number",
                "结果中只增不减的列，例如自增序号",
            ],
        ),
        "cursor_start": field(
            text(256),
            ["Cursor at first", "游标初值"],
            [
                "Rows behind it are read: 0, or 2026-01-01; another value begins again there",
                "从其后的行开始读取，例如 0 或 2026-01-01；改动后从新值重新开始",
            ],
        ),
        "time_column": field(
            json!({"type": ["string", "integer", "null"], "minimum": 1, "maxLength": 256}),
            ["Column of times", "时间列"],
            ["Empty takes the time of reading", "留空则取读取时间"],
        ),
        "time_format": time_format(),
        "time_zone": time_zone(),
        "poll_s": field(
            integer(1, 86_400, 10),
            ["Interval (s)", "查询周期（秒）"],
            ["How often new rows are asked for", "查询新行的时间间隔"],
        ),
        "settle_s": field(
            advanced(integer(0, 3600, 0)),
            ["Left to settle (s)", "沉淀时间（秒）"],
            [
                "Rows younger than this wait, where several programs write at once and rows may appear out of order",
                "多个程序并发写入、行可能乱序出现时，暂不读取比该时间更新的行",
            ],
        ),
        "rows_max": field(
            advanced(integer(1, 10_000, 1000)),
            ["Rows a query", "单次行数上限"],
            ["More are asked for at once", "超过时立即继续查询"],
        ),
    })
}
