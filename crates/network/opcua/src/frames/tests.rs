use proptest::prelude::*;

use super::*;

const POLICY: &str = "http://opcfoundation.org/UA/SecurityPolicy#Basic256Sha256";

fn expected() -> Expected {
    Expected { policy: POLICY.to_owned(), certificate: vec![7; 900] }
}

fn frame(kind: &[u8; 3], body: &[u8]) -> Vec<u8> {
    let size = (HEADER_BYTES + body.len()) as u32;
    [kind.as_slice(), b"F", &size.to_le_bytes(), body].concat()
}

fn handshake_of(policy: &str, certificate: &[u8]) -> Vec<u8> {
    let counted = |bytes: &[u8]| [&(bytes.len() as u32).to_le_bytes(), bytes].concat();
    let body =
        [vec![0; 4], counted(policy.as_bytes()), counted(certificate), vec![0xFF; 300]].concat();
    frame(b"OPN", &body)
}

fn look(frames: &[Vec<u8>], cut: usize) -> Result<(), String> {
    let mut follower = Frames::new(Some(expected()));
    frames.concat().chunks(cut.max(1)).try_for_each(|part| follower.look(part))
}

#[test]
fn the_expected_handshake_passes_however_it_is_cut() {
    let good = [
        frame(b"ACK", &[0; 20]),
        handshake_of(POLICY, &[7; 900]),
        frame(b"MSG", &[1; 100]),
        handshake_of(POLICY, &[7; 900]),
        frame(b"CLO", &[1; 60]),
    ];
    for cut in [1, 2, 3, 7, 8, 9, 64, 1000, 10_000] {
        assert_eq!(look(&good, cut), Ok(()), "cut {cut}");
    }
}

#[test]
fn a_handshake_of_another_policy_or_certificate_is_refused_at_any_time() {
    let open = frame(b"MSG", &[1; 100]);
    let none = handshake_of("http://opcfoundation.org/UA/SecurityPolicy#None", &[]);
    let other = handshake_of(POLICY, &[8; 900]);
    let short = frame(b"OPN", &[0; 4]);
    let lying = frame(b"OPN", &[[0; 4], 5000_u32.to_le_bytes()].concat());
    for bad in [none, other, short, lying] {
        for cut in [1, 10, 10_000] {
            let result = look(&[open.clone(), bad.clone(), frame(b"MSG", &[0; 100])], cut);
            assert!(result.is_err(), "{bad:?}");
        }
    }
}

#[test]
fn sizes_and_kinds_are_held_to_bounds() {
    let mut huge = frame(b"MSG", &[0; 100]);
    huge[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(look(&[huge], 3).unwrap_err().contains("4294967295"));
    assert!(look(&[frame(b"MSG", &[0; 10])], 100).is_err(), "too short for a signature");
    assert!(look(&[b"HTTP/1.1 400 Bad Request".to_vec()], 100).unwrap_err().contains("not OPC UA"));
    assert!(Frames::new(None).look(&frame(b"MSG", &[0; 10])).is_ok());
    assert!(Frames::new(None).look(&handshake_of("x", &[])).is_ok());
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_do_no_harm(
        parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..40),
        kind in prop::sample::select(vec![*b"OPN", *b"MSG", *b"ACK"]),
    ) {
        let mut follower = Frames::new(Some(expected()));
        let head = [kind.as_slice(), b"F", &400_u32.to_le_bytes()].concat();
        let _ = follower.look(&head);
        for part in parts {
            if follower.look(&part).is_err() {
                break;
            }
            prop_assert!(follower.head.len() <= FRAME_BYTES_MAX);
        }
    }
}
