//! The equipment hierarchy of the demo plant.

use weir_model::Level;

use crate::model::{Asset, Names, Organisation};

/// Whose plant it is.
pub(crate) const ORGANISATION: Organisation = Organisation {
    prefix: "demo.tep",
    names: Names { zh: "田纳西-伊士曼示范化工厂", en: "Tennessee Eastman demo works" },
};

const fn asset(
    suffix: &'static str,
    level: Level,
    parent: Option<&'static str>,
    zh: &'static str,
    en: &'static str,
) -> Asset {
    Asset { suffix, level, parent, names: Names { zh, en } }
}

/// Each parent before its children.
#[rustfmt::skip]
pub(crate) static ALL: &[Asset] = &[
    asset("site", Level::Site, None, "示范厂区", "Demo site"),
    asset("synthesis", Level::Area, Some("site"), "合成车间", "Synthesis area"),
    asset("feed", Level::WorkCenter, Some("synthesis"), "进料工段", "Feed section"),
    asset("feed-a", Level::WorkUnit, Some("feed"), "A 进料管线", "A feed line"),
    asset("feed-d", Level::WorkUnit, Some("feed"), "D 进料管线", "D feed line"),
    asset("feed-e", Level::WorkUnit, Some("feed"), "E 进料管线", "E feed line"),
    asset("feed-ac", Level::WorkUnit, Some("feed"), "A+C 混合进料管线", "A and C feed line"),
    asset("reaction", Level::WorkCenter, Some("synthesis"), "反应工段", "Reaction section"),
    asset("reactor", Level::WorkUnit, Some("reaction"), "反应器", "Reactor"),
    asset("separation", Level::WorkCenter, Some("synthesis"), "分离工段", "Separation section"),
    asset("condenser", Level::WorkUnit, Some("separation"), "产品冷凝器", "Product condenser"),
    asset("separator", Level::WorkUnit, Some("separation"), "气液分离器", "Vapour-liquid separator"),
    asset("stripper", Level::WorkUnit, Some("separation"), "产品汽提塔", "Product stripper"),
    asset("recycle", Level::WorkCenter, Some("synthesis"), "循环气工段", "Recycle section"),
    asset("compressor", Level::WorkUnit, Some("recycle"), "循环压缩机", "Recycle compressor"),
    asset("purge", Level::WorkUnit, Some("recycle"), "弛放气管线", "Purge line"),
    asset("analysis", Level::Area, Some("site"), "在线分析室", "Analyser house"),
    asset("analyser-feed", Level::WorkUnit, Some("analysis"), "反应器进料色谱仪", "Reactor feed chromatograph"),
    asset("analyser-purge", Level::WorkUnit, Some("analysis"), "弛放气色谱仪", "Purge gas chromatograph"),
    asset("analyser-product", Level::WorkUnit, Some("analysis"), "产品色谱仪", "Product chromatograph"),
    asset("control", Level::Area, Some("site"), "中央控制室", "Control room"),
    asset("replay", Level::WorkUnit, Some("control"), "数据回放台", "Replay desk"),
];
