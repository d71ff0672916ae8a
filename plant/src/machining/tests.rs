use super::{FAILURE_MAX, Machining, PARTS, part};

#[test]
fn the_data_set_is_whole() {
    let machining = Machining::load().unwrap();
    let first = machining.part(0);
    assert_eq!((first.quality, first.serial, first.speed, first.wear), ('M', 14860, 1551.0, 0.0));
    assert_eq!(machining.part(PARTS as u64), first, "the first follows the last");
    let parts = || machining.parts.iter();
    assert_eq!(parts().filter(|part| part.failed).count(), 339);
    let counts: Vec<usize> =
        (0..5).map(|kind| parts().filter(|part| part.failures[kind]).count()).collect();
    assert_eq!(counts, [46, 115, 95, 98, 19], "as published");
    for failure in 1..=FAILURE_MAX {
        let at = machining.first(failure);
        assert!(at > 10 && machining.part(at as u64).failures[usize::from(failure) - 1]);
    }
    assert_eq!(machining.first(0), 0);
}

#[test]
fn damaged_lines_are_no_parts() {
    let whole = "1,M14860,M,298.1,308.6,1551,42.8,0,0,0,0,0,0,0";
    assert!(part(whole).is_some());
    for damaged in
        ["", "1,M14860", "1,X1,M,1,1,1,1,1,0,0,0,0,0,0", "1,M1,M,inf,1,1,1,1,0,0,0,0,0,0"]
    {
        assert_eq!(part(damaged), None, "{damaged}");
    }
    assert!(Machining::unpack(b"no gzip").is_err());
}
