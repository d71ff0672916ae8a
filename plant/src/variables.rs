//! The 52 recorded variables, named as the trade names them, with the span of their instruments.
//!
//! Numbers and meanings after J.J. Downs and E.F. Vogel, "A plant-wide industrial process control
//! problem", Computers and Chemical Engineering 17:245-255 (1993), tables 3 to 5.

use crate::model::Names;

/// One recorded variable.
pub(crate) struct Variable {
    /// Suffix of its tag.
    pub(crate) suffix: &'static str,
    pub(crate) names: Names,
    /// UCUM code, or the plant's own text.
    pub(crate) unit: &'static str,
    /// Span of the instrument.
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// Suffix of the asset it belongs to.
    pub(crate) asset: &'static str,
}

/// 1000 standard cubic metres an hour; UCUM knows no standard volumes.
pub(crate) const KSCMH: &str = "kscmh";
const GAUGE: &str = "kPa{gauge}";
const MOL: &str = "%{mol}";
const OPEN: &str = "%{open}";

const fn variable(
    suffix: &'static str,
    zh: &'static str,
    en: &'static str,
    unit: &'static str,
    (low, high): (f64, f64),
    asset: &'static str,
) -> Variable {
    Variable { suffix, names: Names::of(zh, en), unit, low, high, asset }
}

/// In the order of the recording's columns.
#[rustfmt::skip]
pub(crate) static ALL: [Variable; crate::VARIABLES] = [
    variable("feed-a-flow", "A 进料流量（物流 1）", "A feed flow (stream 1)", KSCMH, (0.0, 1.1), "feed-a"),
    variable("feed-d-flow", "D 进料流量（物流 2）", "D feed flow (stream 2)", "kg/h", (0.0, 6000.0), "feed-d"),
    variable("feed-e-flow", "E 进料流量（物流 3）", "E feed flow (stream 3)", "kg/h", (0.0, 6500.0), "feed-e"),
    variable("feed-ac-flow", "A+C 混合进料流量（物流 4）", "A and C feed flow (stream 4)", KSCMH, (0.0, 16.0), "feed-ac"),
    variable("recycle-flow", "循环气流量（物流 8）", "Recycle flow (stream 8)", KSCMH, (0.0, 40.0), "compressor"),
    variable("reactor-feed-flow", "反应器总进料流量（物流 6）", "Reactor feed rate (stream 6)", KSCMH, (0.0, 60.0), "reactor"),
    variable("reactor-pressure", "反应器压力", "Reactor pressure", GAUGE, (0.0, 3200.0), "reactor"),
    variable("reactor-level", "反应器液位", "Reactor level", "%", (0.0, 100.0), "reactor"),
    variable("reactor-temperature", "反应器温度", "Reactor temperature", "Cel", (0.0, 200.0), "reactor"),
    variable("purge-flow", "弛放气流量（物流 9）", "Purge rate (stream 9)", KSCMH, (0.0, 1.0), "purge"),
    variable("separator-temperature", "产品分离器温度", "Product separator temperature", "Cel", (0.0, 150.0), "separator"),
    variable("separator-level", "产品分离器液位", "Product separator level", "%", (0.0, 100.0), "separator"),
    variable("separator-pressure", "产品分离器压力", "Product separator pressure", GAUGE, (0.0, 3200.0), "separator"),
    variable("separator-underflow", "分离器底部出料流量（物流 10）", "Product separator underflow (stream 10)", "m3/h", (0.0, 65.0), "separator"),
    variable("stripper-level", "汽提塔液位", "Stripper level", "%", (0.0, 100.0), "stripper"),
    variable("stripper-pressure", "汽提塔压力", "Stripper pressure", GAUGE, (0.0, 3600.0), "stripper"),
    variable("stripper-underflow", "汽提塔底部产品流量（物流 11）", "Stripper underflow, product (stream 11)", "m3/h", (0.0, 50.0), "stripper"),
    variable("stripper-temperature", "汽提塔温度", "Stripper temperature", "Cel", (0.0, 150.0), "stripper"),
    variable("stripper-steam-flow", "汽提塔蒸汽流量", "Stripper steam flow", "kg/h", (0.0, 500.0), "stripper"),
    variable("compressor-power", "循环压缩机功率", "Compressor work", "kW", (0.0, 400.0), "compressor"),
    variable("reactor-cooling-water-temperature", "反应器冷却水出口温度", "Reactor cooling water outlet temperature", "Cel", (0.0, 150.0), "reactor"),
    variable("separator-cooling-water-temperature", "分离器冷却水出口温度", "Separator cooling water outlet temperature", "Cel", (0.0, 150.0), "condenser"),
    variable("feed-gas-a", "反应器进料组分 A", "Reactor feed component A", MOL, (0.0, 50.0), "analyser-feed"),
    variable("feed-gas-b", "反应器进料组分 B", "Reactor feed component B", MOL, (0.0, 20.0), "analyser-feed"),
    variable("feed-gas-c", "反应器进料组分 C", "Reactor feed component C", MOL, (0.0, 50.0), "analyser-feed"),
    variable("feed-gas-d", "反应器进料组分 D", "Reactor feed component D", MOL, (0.0, 20.0), "analyser-feed"),
    variable("feed-gas-e", "反应器进料组分 E", "Reactor feed component E", MOL, (0.0, 50.0), "analyser-feed"),
    variable("feed-gas-f", "反应器进料组分 F", "Reactor feed component F", MOL, (0.0, 5.0), "analyser-feed"),
    variable("purge-gas-a", "弛放气组分 A", "Purge gas component A", MOL, (0.0, 50.0), "analyser-purge"),
    variable("purge-gas-b", "弛放气组分 B", "Purge gas component B", MOL, (0.0, 20.0), "analyser-purge"),
    variable("purge-gas-c", "弛放气组分 C", "Purge gas component C", MOL, (0.0, 50.0), "analyser-purge"),
    variable("purge-gas-d", "弛放气组分 D", "Purge gas component D", MOL, (0.0, 5.0), "analyser-purge"),
    variable("purge-gas-e", "弛放气组分 E", "Purge gas component E", MOL, (0.0, 50.0), "analyser-purge"),
    variable("purge-gas-f", "弛放气组分 F", "Purge gas component F", MOL, (0.0, 5.0), "analyser-purge"),
    variable("purge-gas-g", "弛放气组分 G", "Purge gas component G", MOL, (0.0, 10.0), "analyser-purge"),
    variable("purge-gas-h", "弛放气组分 H", "Purge gas component H", MOL, (0.0, 5.0), "analyser-purge"),
    variable("product-d", "产品组分 D", "Product component D", MOL, (0.0, 0.1), "analyser-product"),
    variable("product-e", "产品组分 E", "Product component E", MOL, (0.0, 2.0), "analyser-product"),
    variable("product-f", "产品组分 F", "Product component F", MOL, (0.0, 0.5), "analyser-product"),
    variable("product-g", "产品组分 G", "Product component G", MOL, (0.0, 100.0), "analyser-product"),
    variable("product-h", "产品组分 H", "Product component H", MOL, (0.0, 100.0), "analyser-product"),
    variable("feed-d-valve", "D 进料阀开度（物流 2）", "D feed valve (stream 2)", OPEN, (0.0, 100.0), "feed-d"),
    variable("feed-e-valve", "E 进料阀开度（物流 3）", "E feed valve (stream 3)", OPEN, (0.0, 100.0), "feed-e"),
    variable("feed-a-valve", "A 进料阀开度（物流 1）", "A feed valve (stream 1)", OPEN, (0.0, 100.0), "feed-a"),
    variable("feed-ac-valve", "A+C 混合进料阀开度（物流 4）", "A and C feed valve (stream 4)", OPEN, (0.0, 100.0), "feed-ac"),
    variable("recycle-valve", "压缩机循环阀开度", "Compressor recycle valve", OPEN, (0.0, 100.0), "compressor"),
    variable("purge-valve", "弛放气阀开度（物流 9）", "Purge valve (stream 9)", OPEN, (0.0, 100.0), "purge"),
    variable("separator-liquid-valve", "分离器液相出料阀开度（物流 10）", "Separator liquid valve (stream 10)", OPEN, (0.0, 100.0), "separator"),
    variable("stripper-product-valve", "汽提塔产品出料阀开度（物流 11）", "Stripper product valve (stream 11)", OPEN, (0.0, 100.0), "stripper"),
    variable("stripper-steam-valve", "汽提塔蒸汽阀开度", "Stripper steam valve", OPEN, (0.0, 100.0), "stripper"),
    variable("reactor-cooling-water-valve", "反应器冷却水阀开度", "Reactor cooling water valve", OPEN, (0.0, 100.0), "reactor"),
    variable("condenser-cooling-water-valve", "冷凝器冷却水阀开度", "Condenser cooling water valve", OPEN, (0.0, 100.0), "condenser"),
];

/// The variable's name in the literature, `XMEAS(7)` or `XMV(3)`, from its column.
pub(crate) fn reference(column: usize) -> String {
    if column < 41 { format!("XMEAS({})", column + 1) } else { format!("XMV({})", column - 40) }
}
