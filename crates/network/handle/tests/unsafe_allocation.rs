//! UNSAFE: an allocator that counts, for it alone can say that reading allocates nothing. It hands every call
//! with its arguments to the system's allocator, which keeps the promises that the trait wants.
#![expect(unsafe_code, reason = "an allocator is an unsafe trait")]
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use weir_handle::{Message, OpCode, Request, Response, ValueData};

#[path = "recorded/capture.rs"]
#[allow(dead_code, reason = "shared with the recorded exchanges, which use more of it")]
mod capture;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: both functions are the system's, whose contract is the trait's; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer is of `alloc` above, which is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Reads all that is in a message, under every operation.
fn read(bytes: &[u8]) -> usize {
    let Ok(message) = Message::decode(bytes) else { return 0 };
    let mut found = usize::from(message.credential().is_ok());
    let values = |request: Request<'_>| match request {
        Request::CreateHandle { values, .. } => {
            values.iter().filter(|value| ValueData::of(value).is_ok()).count()
        }
        _ => 1,
    };
    for op in OpCode::ALL {
        found += Request::decode(*op, message.body).map_or(0, values);
        let header = weir_handle::Header { op: *op, ..message.header };
        found +=
            usize::from(Response::decode(message.envelope.version, &header, message.body).is_ok());
    }
    found
}

#[test]
fn reading_allocates_nothing() {
    let exchanges = capture::all().into_iter().flat_map(|capture| capture.exchanges);
    let packets: Vec<Vec<u8>> = exchanges
        .flat_map(|exchange| exchange.request.packets.into_iter().chain(exchange.response.packets))
        .collect();
    let mut found = 0;
    for packet in &packets {
        let mut packet = packet.clone();
        let before = ALLOCATIONS.get();
        found += read(&packet);
        // Lengths and counts that nothing could hold reserve nothing either.
        for at in (44..packet.len().min(200).saturating_sub(4)).step_by(2) {
            let kept = packet[at..at + 4].first_chunk::<4>().copied().unwrap();
            for number in [0x7fff_ffff_u32, 0xffff_ffff, 0x0010_0000] {
                packet[at..at + 4].copy_from_slice(&number.to_be_bytes());
                found += read(&packet);
            }
            packet[at..at + 4].copy_from_slice(&kept);
        }
        assert_eq!(ALLOCATIONS.get() - before, 0);
    }
    assert!(found > 10_000);
}
