//! What a form for a folder of CSV files is made of.

use serde_json::{Value as Json, json};
use weir_connect::form::{self, advanced, choice, field, integer, own, text, when};

pub(crate) fn schema() -> Json {
    let mut schema = form::description(["CSV files", "CSV 文件"], settings(), address());
    let about = [
        "Files that test benches, laboratories and older machines write into a folder",
        "采集试验台、化验室和老旧设备写入文件夹的 CSV 文件",
    ];
    schema["x-description"] = json!({"en": about[0], "zh-CN": about[1]});
    schema
}

fn settings() -> Json {
    json!({
        "type": "object",
        "required": ["folder"],
        "additionalProperties": false,
        "x-order": ["folder", "pattern", "mode", "time_column", "time_format", "time_zone", "header",
            "separator", "decimal", "encoding", "after", "done_folder", "skip_lines", "stable_s",
            "poll_s"],
        "properties": {
            "folder": field(
                own(text(1024)),
                ["Folder", "文件夹"],
                [
                    "Absolute path on the node's machine, below one that connect.pickup_dirs allows",
                    "节点所在机器上的绝对路径，须位于 connect.pickup_dirs 允许的目录之下",
                ],
            ),
            "pattern": field(
                json!({"type": "string", "minLength": 1, "maxLength": 128, "default": "*.csv"}),
                ["File names", "文件名"],
                ["With * for any characters and ? for one", "* 匹配任意字符，? 匹配单个字符"],
            ),
            "mode": field(
                choice(
                    &[
                        ("whole", ["Written once", "一次写成"]),
                        ("follow", ["Appended to", "持续追加"]),
                    ],
                    "whole",
                ),
                ["How files are written", "写入方式"],
                [
                    "Files written once are read when they no longer change; others line by line as they grow",
                    "一次写成的文件待不再变化后整体读取；持续追加的文件逐行跟读",
                ],
            ),
            "time_column": field(
                json!({"type": ["string", "integer", "null"], "minimum": 1, "maxLength": 256}),
                ["Column of times", "时间列"],
                [
                    "Name, or number counted from 1; empty takes the time of the file's last change",
                    "列名或从 1 开始的列号；留空则取文件的修改时间",
                ],
            ),
            "time_format": time_format(),
            "time_zone": time_zone(),
            "header": field(
                json!({"type": "boolean", "default": true}),
                ["Header row", "含表头"],
                ["Whether the first row names the columns", "首行是否为列名"],
            ),
            "separator": field(
                choice(
                    &[
                        ("comma", ["Comma", "逗号"]),
                        ("semicolon", ["Semicolon", "分号"]),
                        ("tab", ["Tab", "制表符"]),
                        ("bar", ["Vertical bar", "竖线"]),
                    ],
                    "comma",
                ),
                ["Separator", "分隔符"],
                ["What stands between cells", "单元格之间的分隔符"],
            ),
            "decimal": field(
                choice(
                    &[("point", ["Point (1.5)", "小数点（1.5）"]), ("comma", ["Comma (1,5)", "逗号（1,5）"])],
                    "point",
                ),
                ["Decimals", "小数符号"],
                ["What stands before decimals", "小数部分之前的符号"],
            ),
            "encoding": field(
                choice(
                    &[
                        ("utf-8", ["UTF-8", "UTF-8"]),
                        ("gbk", ["GBK / GB 18030", "GBK / GB 18030"]),
                        ("utf-16", ["UTF-16", "UTF-16"]),
                    ],
                    "utf-8",
                ),
                ["Encoding", "字符编码"],
                ["A byte order mark in a file counts more", "文件自带字节序标记时以标记为准"],
            ),
            "after": field(
                when(
                    choice(
                        &[
                            ("keep", ["Leave it", "保留"]),
                            ("move", ["Move it", "移走"]),
                            ("delete", ["Delete it", "删除"]),
                        ],
                        "keep",
                    ),
                    "mode",
                    &["whole"],
                ),
                ["A file that was read", "读完之后"],
                [
                    "What becomes of it once its values are on disk",
                    "数值落盘之后如何处置文件",
                ],
            ),
            "done_folder": field(
                own(when(text(1024), "after", &["move"])),
                ["Moved to", "移至"],
                [
                    "A folder on the same disk, below one that is allowed",
                    "同一磁盘上、位于允许目录之下的文件夹",
                ],
            ),
            "skip_lines": field(
                advanced(integer(0, 100, 0)),
                ["Lines to skip", "跳过行数"],
                ["Lines before the header or the first row", "表头或首行数据之前的行数"],
            ),
            "stable_s": field(
                advanced(when(integer(0, 86_400, 5), "mode", &["whole"])),
                ["Unchanged for (s)", "静止时间（秒）"],
                [
                    "A file is read when it has not changed for so long",
                    "文件保持不变达到该时间后才读取",
                ],
            ),
            "poll_s": field(
                advanced(integer(1, 86_400, 5)),
                ["Interval (s)", "扫描周期（秒）"],
                ["How often the folder is looked at", "查看文件夹的时间间隔"],
            ),
        },
    })
}

/// The field of how times are written.
pub(crate) fn time_format() -> Json {
    field(
        json!({"type": "string", "minLength": 1, "maxLength": 128, "default": "iso"}),
        ["Format of times", "时间格式"],
        [
            "iso (2026-11-26 06:30:00), epoch_s, epoch_ms, or as %d.%m.%Y %H:%M:%S",
            "iso（2026-11-26 06:30:00）、epoch_s、epoch_ms，或形如 %Y/%m/%d %H:%M:%S 的格式",
        ],
    )
}

/// The field of where times are from.
pub(crate) fn time_zone() -> Json {
    field(
        json!({"type": "string", "minLength": 1, "maxLength": 128, "default": "UTC"}),
        ["Time zone", "时区"],
        [
            "Of times that do not say: Asia/Shanghai, UTC or +08:00",
            "时间本身不带时区时采用：Asia/Shanghai、UTC 或 +08:00",
        ],
    )
}

fn address() -> Json {
    crate::table::describe()
}
