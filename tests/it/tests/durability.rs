//! The plug is pulled under load.

use weir_it::kill_cycles;

/// A few cycles on every run; `cargo xtask soak kill` does three hundred.
const CYCLES: u32 = 6;

#[test]
fn what_was_acknowledged_survives_the_kill() {
    let data = tempfile::tempdir().unwrap();
    kill_cycles(data.path(), CYCLES, |cycle, ledger, start| {
        let (samples, documents) = (ledger.samples(), ledger.documents());
        println!(
            "kill {cycle}: {samples} samples, {documents} documents there, ready after {start:?}"
        );
    })
    .unwrap();
}
