//! What values that are no numbers take on the disk.

use weir_model::ARRAY_LENGTH_MAX;

use super::*;

/// What a sensor of vibration says at a place: two tones, a harmonic, and as much noise as such signals
/// have, in counts of a converter of 16 bits.
fn vibration(place: usize, state: &mut u64) -> f64 {
    let mut uniform = || {
        *state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 40) as f64 / (1u64 << 24) as f64 - 0.5
    };
    let noise = (0..6).map(|_| uniform()).sum::<f64>();
    let t = place as f64 / 25_600.0 * std::f64::consts::TAU;
    let tones = 2400.0 * (49.3 * t).sin() + 900.0 * (98.6 * t).sin() + 350.0 * (3140.0 * t).sin();
    // A converter counts no negative zero.
    (tones + 400.0 * noise).round() + 0.0
}

/// Bytes of blocks that one waveform of 65,536 takes, where a few are stored.
fn stored(of: impl Fn(f64) -> Value) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let historian = open(dir.path());
        let (mut state, count) = (7, 4);
        for second in 0..count {
            let wave: Value =
                (0..ARRAY_LENGTH_MAX).map(|place| of(vibration(place, &mut state))).collect();
            let sample = Sample::good(at(second * SECOND), wave.clone());
            historian.append(batch(vec![(TagId(1), sample)])).await.unwrap();
            assert!(historian.last(TENANT, TagId(1)).unwrap().value == Some(wave));
        }
        historian.flush().await.unwrap();
        let bytes = historian.stats().bytes / count as u64;
        historian.close().await.unwrap();
        bytes
    })
}

#[test]
fn a_waveform_takes_little_of_the_disk() {
    type Of = fn(f64) -> Value;
    // Beside each kind the most bytes a number; measured are 1.5 of what a converter counted.
    let kinds: [(&str, Of, f64); 7] = [
        ("counts", |n| Value::I64(n as i64), 1.7),
        ("volts, dyadic", |n| Value::F64(n * 5.0 / 16_384.0), 1.7),
        ("doubles, counts times a sensitivity", |n| Value::F64(n * 0.001_226_7), 1.7),
        (
            "singles, counts times a sensitivity",
            |n| Value::F64((n as f32 * 0.001_226_7f32).into()),
            1.7,
        ),
        (
            "four decimals, whole ones as integers",
            |n| match (n * 0.5) % 1000.0 {
                0.0 => Value::I64(n as i64 / 2000),
                _ => Value::F64((n * 0.5).round() / 1000.0),
            },
            1.8,
        ),
        ("singles of no grain", |n| Value::F64(((n as f32).sin() + n as f32).into()), 3.6),
        ("doubles of no grain", |n| Value::F64(n.sin() + n), 7.5),
    ];
    for (name, of, most) in kinds {
        let each = stored(of) as f64 / ARRAY_LENGTH_MAX as f64;
        println!("{name}: {each:.3} bytes a number");
        assert!(each < most, "{name}: {each:.3} bytes a number");
    }
}

/// Bytes of blocks that one text takes, of a tag that has many.
fn stored_text(of: impl Fn(u64) -> String) -> f64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let historian = open(dir.path());
        let mut state = 7u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            state >> 33
        };
        let count = 40_000;
        for part in 0..4 {
            let samples = (part * count / 4..(part + 1) * count / 4).map(|n| {
                let text = Value::text(&of(random())).unwrap();
                (TagId(1), Sample::good(at(n * SECOND), text))
            });
            historian.append(batch(samples.collect())).await.unwrap();
        }
        historian.flush().await.unwrap();
        let bytes = historian.stats().bytes as f64 / count as f64;
        historian.close().await.unwrap();
        bytes
    })
}

#[test]
fn texts_that_repeat_take_little_of_the_disk() {
    const STATES: [&str; 6] = ["running", "stopped", "starting", "fault", "maintenance", "idle"];
    type Of = fn(u64) -> String;
    // The most bytes a text; measured are 0.35, 0.8 and 3.
    let kinds: [(&str, Of, f64); 3] = [
        ("6 states, any at any time", |n| STATES[n as usize % 6].to_owned(), 0.6),
        ("64 alarms", |n| format!("Zone {} temperature above the limit of 800 Cel", n % 64), 1.2),
        ("4096 alarms", |n| format!("E{:04}: drive {} overcurrent", n % 4096, n % 64), 6.0),
    ];
    for (name, of, most) in kinds {
        let each = stored_text(of);
        println!("{name}: {each:.3} bytes a text");
        assert!(each < most, "{name}: {each:.3} bytes a text");
    }
}
