//! How many times better ours is than each peer.

use serde_json::{Map, Value as Json, json};

use super::peers::Peer;

/// For each peer that took part: above 1 is in our favour. Engines are compared with our calls in
/// process; servers, which take lines and answer over HTTP, with our server.
pub(super) fn of(set: &Json) -> Json {
    let systems = &set["systems"];
    let mut ratios = Map::new();
    for peer in Peer::ALL {
        let theirs = &systems[peer.key()];
        if theirs.is_null() {
            continue;
        }
        let weir = &systems["weir"];
        let (ours, rate, asked) = if peer.is_engine() {
            (weir, "durable_points_per_cpu_s", &weir["calls"])
        } else {
            (
                &systems["weir_http"],
                "line_protocol_points_per_cpu_s",
                &systems["weir_http"]["queries"],
            )
        };
        let wall = |of: &Json, name: &str| of[name]["wall_ms"].as_f64();
        let part = |x: Option<f64>, y: Option<f64>| match (x, y) {
            (Some(x), Some(y)) if y > 0.0 => json!((x / y * 1000.0).round() / 1000.0),
            _ => Json::Null,
        };
        ratios.insert(
            peer.key().to_owned(),
            json!({
                rate: part(points_per_cpu_s(ours), points_per_cpu_s(theirs)),
                "bytes_per_point": part(bytes_per_point(theirs), bytes_per_point(weir)),
                "raw_hour_ms": part(wall(&theirs["queries"], "raw_hour"), wall(asked, "raw_hour")),
                "last_all_ms": part(wall(&theirs["queries"], "last_all"), wall(asked, "last_all")),
                "peak_rss_mb": part(theirs["peak_rss_mb"].as_f64(), ours["peak_rss_mb"].as_f64()),
            }),
        );
    }
    ratios.into()
}

/// Points of a processor second, until all were answered.
pub(super) fn points_per_cpu_s(system: &Json) -> Option<f64> {
    let ingest = &system["ingest"];
    let seconds = ingest["cpu_s"].as_f64()?;
    (seconds > 0.0).then_some(ingest["points"].as_f64()? / seconds)
}

/// Bytes on the disk for each point that was stored, merged.
pub(super) fn bytes_per_point(system: &Json) -> Option<f64> {
    let points = system["ingest"]["points"].as_f64()?;
    let bytes = system["bytes"].as_f64()?;
    (points > 0.0).then_some(bytes / points)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn above_one_is_in_our_favour() {
        let system = |points: u64, cpu_s: f64, bytes: u64, wall_ms: f64| {
            let asked =
                json!({ "raw_hour": { "wall_ms": wall_ms }, "last_all": { "wall_ms": wall_ms } });
            json!({
                "ingest": { "points": points, "cpu_s": cpu_s },
                "bytes": bytes, "peak_rss_mb": 100, "queries": asked, "calls": asked,
            })
        };
        let set = json!({ "systems": {
            "weir": system(1000, 1.0, 1200, 0.5),
            "weir_http": system(1000, 2.0, 1200, 1.0),
            "duckdb": system(1000, 4.0, 4800, 1.0),
            "influxdb": system(900, 9.0, 10_800, 4.0),
        }});
        let ratios = super::of(&set);
        assert_eq!(ratios["duckdb"]["durable_points_per_cpu_s"], 4.0);
        assert_eq!(ratios["duckdb"]["bytes_per_point"], 4.0);
        assert_eq!(ratios["duckdb"]["raw_hour_ms"], 2.0);
        assert_eq!(ratios["influxdb"]["line_protocol_points_per_cpu_s"], 5.0);
        assert_eq!(ratios["influxdb"]["bytes_per_point"], 10.0);
        assert_eq!(ratios["influxdb"]["last_all_ms"], 4.0);
        assert!(ratios.get("clickhouse").is_none());
    }
}
