//! The equipment hierarchy of the demo plant.

use std::borrow::Cow;

use weir_model::Level;

use crate::model::{Asset, Names, Organisation};

/// Whose plant it is.
pub const ORGANISATION: Organisation = Organisation {
    prefix: "demo.tep",
    names: Names::of("田纳西-伊士曼示范化工厂", "Tennessee Eastman demo works"),
};

const fn asset(
    suffix: &'static str,
    level: Level,
    parent: Option<&'static str>,
    zh: &'static str,
    en: &'static str,
) -> Asset {
    let parent = match parent {
        Some(parent) => Some(Cow::Borrowed(parent)),
        None => None,
    };
    Asset { suffix: Cow::Borrowed(suffix), level, parent, names: Names::of(zh, en) }
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
    asset("utilities", Level::Area, Some("site"), "公用工程", "Utilities"),
    asset("cooling-water", Level::WorkUnit, Some("utilities"), "循环冷却水系统", "Cooling water system"),
    asset("steam", Level::WorkUnit, Some("utilities"), "蒸汽系统", "Steam system"),
    asset("analysis", Level::Area, Some("site"), "在线分析室", "Analyser house"),
    asset("analyser-feed", Level::WorkUnit, Some("analysis"), "反应器进料色谱仪", "Reactor feed chromatograph"),
    asset("analyser-purge", Level::WorkUnit, Some("analysis"), "弛放气色谱仪", "Purge gas chromatograph"),
    asset("analyser-product", Level::WorkUnit, Some("analysis"), "产品色谱仪", "Product chromatograph"),
    asset("control", Level::Area, Some("site"), "中央控制室", "Control room"),
    asset("replay", Level::WorkUnit, Some("control"), "数据回放台", "Replay desk"),
    asset("workshop", Level::Area, Some("site"), "机修车间", "Workshop"),
    asset("mill", Level::WorkUnit, Some("workshop"), "1 号铣床", "Milling machine 1"),
    asset("fleet", Level::Area, Some("site"), "发动机机队", "Engine fleet"),
];
