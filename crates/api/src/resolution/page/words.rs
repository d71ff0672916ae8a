//! The words of the pages, in both languages.

use http::{HeaderMap, header};
use weir_gs1::resolve::AcceptLanguage;

use crate::resolution::target::Target;
use crate::resolution::text_of;

/// What the pages say.
#[derive(Debug)]
pub(super) struct Words {
    /// The language's tag.
    pub(super) tag: &'static str,
    pub(super) resolve: &'static str,
    pub(super) resolve_hint: &'static str,
    pub(super) identifier: &'static str,
    pub(super) industrial: &'static str,
    pub(super) not_recognised: &'static str,
    pub(super) unknown: &'static str,
    pub(super) unknown_hint: &'static str,
    pub(super) not_ours: &'static str,
    pub(super) not_ours_hint: &'static str,
    pub(super) elsewhere: &'static str,
    pub(super) elsewhere_hint: &'static str,
    pub(super) withdrawn: &'static str,
    pub(super) withdrawn_hint: &'static str,
    pub(super) private: &'static str,
    pub(super) private_hint: &'static str,
    pub(super) broken: &'static str,
    pub(super) failed: &'static str,
    pub(super) index: &'static str,
    pub(super) changed: &'static str,
    pub(super) keep: &'static str,
    pub(super) see_also: &'static str,
    pub(super) technical: &'static str,
    pub(super) answered_by: &'static str,
    pub(super) as_json: &'static str,
    pub(super) bytes: &'static str,
    pub(super) cut: &'static str,
    pub(super) more_values: &'static str,
    pub(super) may_change: &'static str,
    pub(super) group: &'static str,
    pub(super) server: &'static str,
    pub(super) key: &'static str,
    pub(super) signed_by: &'static str,
    pub(super) until: &'static str,
    pub(super) links: &'static str,
    pub(super) qr: &'static str,
    pub(super) empty: &'static str,
    /// Day, hour, minute, second, of one; and what makes several of them.
    pub(super) units: [&'static str; 4],
    pub(super) plural: &'static str,
    /// What is called what: types of values, folded.
    kinds: &'static [(&'static str, &'static str)],
}

impl Words {
    /// The words in the language that is asked for: by the parameter `lang`, or else by what the
    /// client likes best. Who says nothing reads Chinese.
    pub(super) fn of(target: &Target<'_>, headers: &HeaderMap) -> &'static Self {
        match target.first("lang") {
            Some(lang) if lang.get(..2).is_some_and(|lang| lang.eq_ignore_ascii_case("en")) => {
                return &ENGLISH;
            }
            Some(lang) if lang.get(..2).is_some_and(|lang| lang.eq_ignore_ascii_case("zh")) => {
                return &CHINESE;
            }
            _ => {}
        }
        let accepted = text_of(headers, header::ACCEPT_LANGUAGE);
        match AcceptLanguage::parse(&accepted).prefers("en", "zh") {
            true => &ENGLISH,
            false => &CHINESE,
        }
    }

    /// What a type of values is called; none for one that has no other name.
    pub(super) fn kind(&self, kind: &str) -> Option<&'static str> {
        let found = self.kinds.iter().find(|(known, _)| kind.eq_ignore_ascii_case(known));
        found.map(|(_, name)| *name)
    }

    /// A span of time in the largest unit that measures it whole.
    pub(super) fn span(&self, seconds: u32) -> String {
        let measures = [86_400, 3_600, 60, 1];
        let at = measures
            .iter()
            .position(|measure| seconds >= *measure && seconds.is_multiple_of(*measure));
        let at = at.unwrap_or(3);
        let number = seconds / measures[at];
        let plural = if number == 1 { "" } else { self.plural };
        format!("{number} {}{plural}", self.units[at])
    }
}

static ENGLISH: Words = Words {
    tag: "en",
    resolve: "Resolve",
    resolve_hint: "A handle, a GS1 code, or what stands below a barcode.",
    identifier: "Identifier",
    industrial: "Industrial identifier 88",
    not_recognised: "This is no identifier that is known here:",
    unknown: "Not found",
    unknown_hint: "There is no record of this identifier.",
    not_ours: "Not ours",
    not_ours_hint: "This service does not answer for identifiers with this prefix.",
    elsewhere: "Answered elsewhere",
    elsewhere_hint: "Another service answers for this prefix.",
    withdrawn: "Withdrawn",
    withdrawn_hint: "This identifier was withdrawn, and is not given to anything else.",
    private: "Nothing public",
    private_hint: "There is a record of this identifier, and nothing of it is for everyone.",
    broken: "Not a valid identifier",
    failed: "The records cannot be read at the moment.",
    index: "index",
    changed: "changed",
    keep: "may be kept for",
    see_also: "see also",
    technical: "Technical values",
    answered_by: "Answered by",
    as_json: "as JSON",
    bytes: "bytes",
    cut: "… shortened; the whole is in the JSON",
    more_values: "more values are in the JSON",
    may_change: "may be changed by",
    group: "group of keys",
    server: "server",
    key: "key",
    signed_by: "signed by",
    until: "until",
    links: "Links",
    qr: "QR code of this identifier",
    empty: "empty",
    units: ["day", "hour", "minute", "second"],
    plural: "s",
    kinds: &[
        ("URL", "Address"),
        ("EMAIL", "E-mail"),
        ("DESC", "Description"),
        ("NAME", "Name"),
        ("KIND", "Kind"),
        ("HS_ADMIN", "Administrator"),
        ("HS_VLIST", "Group of keys"),
        ("HS_SITE", "Site"),
        ("HS_SITE.6", "Site"),
        ("HS_SITE.PREFIX", "Site of derived prefixes"),
        ("HS_NA_DELEGATE", "Site of derived prefixes"),
        ("HS_SERV", "Service"),
        ("HS_SERV.PREFIX", "Service of derived prefixes"),
        ("HS_PUBKEY", "Public key"),
        ("HS_ALIAS", "Another name of"),
        ("HS_SIGNATURE", "Signature"),
        ("HS_CERT", "Certificate"),
        ("10320/loc", "Locations"),
        ("gs1:defaultLink", "Page"),
        ("gs1:pip", "Product information"),
        ("gs1:certificationInfo", "Certificates"),
        ("gs1:traceability", "Traceability"),
        ("gs1:instructions", "Instructions"),
        ("gs1:safetyInfo", "Safety"),
        ("gs1:support", "Support"),
        ("gs1:recallStatus", "Recalls"),
        ("gs1:hasRetailers", "Retailers"),
        ("gs1:handledBy", "Handled by"),
    ],
};

static CHINESE: Words = Words {
    tag: "zh-CN",
    resolve: "解析",
    resolve_hint: "输入 Handle 标识、GS1 编码，或条码下方的数字。",
    identifier: "标识",
    industrial: "工业互联网标识 88",
    not_recognised: "无法识别这个标识：",
    unknown: "未找到",
    unknown_hint: "没有这个标识的记录。",
    not_ours: "不归本节点解析",
    not_ours_hint: "本服务不负责解析这个前缀下的标识。",
    elsewhere: "由其他服务解析",
    elsewhere_hint: "这个前缀由另一个服务解析。",
    withdrawn: "已注销",
    withdrawn_hint: "这个标识已注销，不会再分配给其他对象。",
    private: "没有公开内容",
    private_hint: "这个标识有记录，但没有对所有人公开的内容。",
    broken: "标识无效",
    failed: "暂时无法读取记录。",
    index: "索引",
    changed: "更新于",
    keep: "可缓存",
    see_also: "另见",
    technical: "技术信息",
    answered_by: "解析服务：",
    as_json: "JSON 格式",
    bytes: "字节",
    cut: "……内容较长，全文见 JSON",
    more_values: "项内容见 JSON",
    may_change: "可由其修改：",
    group: "密钥组",
    server: "服务器",
    key: "密钥",
    signed_by: "签名者",
    until: "有效期至",
    links: "链接",
    qr: "本标识的二维码",
    empty: "空",
    units: ["天", "小时", "分钟", "秒"],
    plural: "",
    kinds: &[
        ("URL", "网址"),
        ("EMAIL", "电子邮箱"),
        ("DESC", "描述"),
        ("NAME", "名称"),
        ("KIND", "类别"),
        ("HS_ADMIN", "管理者"),
        ("HS_VLIST", "密钥组"),
        ("HS_SITE", "站点"),
        ("HS_SITE.6", "站点"),
        ("HS_SITE.PREFIX", "下级前缀的站点"),
        ("HS_NA_DELEGATE", "下级前缀的站点"),
        ("HS_SERV", "服务"),
        ("HS_SERV.PREFIX", "下级前缀的服务"),
        ("HS_PUBKEY", "公钥"),
        ("HS_ALIAS", "别名，指向"),
        ("HS_SIGNATURE", "签名"),
        ("HS_CERT", "证书"),
        ("10320/loc", "位置列表"),
        ("gs1:defaultLink", "页面"),
        ("gs1:pip", "产品信息"),
        ("gs1:certificationInfo", "认证信息"),
        ("gs1:traceability", "追溯"),
        ("gs1:instructions", "使用说明"),
        ("gs1:safetyInfo", "安全信息"),
        ("gs1:support", "服务支持"),
        ("gs1:recallStatus", "召回信息"),
        ("gs1:hasRetailers", "销售商"),
        ("gs1:handledBy", "解析方"),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_language_is_the_one_that_is_wanted() {
        let of = |query: &str, accepted: &'static str| {
            let headers = [(header::ACCEPT_LANGUAGE, http::HeaderValue::from_static(accepted))];
            Words::of(&Target::read("/", query).unwrap(), &headers.into_iter().collect()).tag
        };
        assert_eq!(of("", "en-GB,en;q=0.9,zh;q=0.5"), "en");
        assert_eq!(of("", "zh-CN,zh;q=0.9,en;q=0.8"), "zh-CN");
        assert_eq!(of("", "de, fr"), "zh-CN");
        assert_eq!(of("", ""), "zh-CN");
        assert_eq!(of("lang=en", "zh"), "en");
        assert_eq!(of("lang=zh-TW", "en"), "zh-CN");
        assert_eq!(of("lang=xx", "en"), "en");
    }

    #[test]
    fn both_languages_name_the_same_types() {
        let names = |words: &Words| words.kinds.iter().map(|(kind, _)| *kind).collect::<Vec<_>>();
        assert_eq!(names(&ENGLISH), names(&CHINESE));
    }

    #[test]
    fn spans_are_told_in_the_largest_unit() {
        let spans = [0, 1, 90, 120, 3_600, 86_400, 172_800].map(|seconds| ENGLISH.span(seconds));
        let told =
            ["0 seconds", "1 second", "90 seconds", "2 minutes", "1 hour", "1 day", "2 days"];
        assert_eq!(spans, told);
        assert_eq!(CHINESE.span(86_400), "1 天");
    }
}
