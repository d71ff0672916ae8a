//! UNSAFE: the one place of this crate that calls `unsafe` code, to tell the C library's allocator what it may
//! keep.
//!
//! Each arena keeps what it once needed, and glibc makes up to eight for each core, so that what one thread
//! gave back is not there for the next. One for each core is enough for threads that seldom allocate at the
//! same moment. And when a large piece is given back, glibc takes pieces of that size from an arena from then
//! on, up to 32 MB of them, and keeps as much at its end: a program that now and then writes a block would
//! keep the room of its largest one, in each arena. So the two bounds stay where they begin. Measured on two
//! cores, from the first to the seventh minute of the demo: from 23.1 to 29.3 MB and rising without the
//! bounds, from 25.0 to 27.9 MB and level with them.
#![cfg_attr(
    all(target_os = "linux", target_env = "gnu"),
    expect(unsafe_code, reason = "a function of the C library is called")
)]

/// Pieces of this size and more are given back to the system as soon as they are not needed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE_BYTES: libc::c_int = 1 << 20;

/// What an arena keeps at its end.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT_BYTES: libc::c_int = 128 << 10;

/// Bounds what is kept. To be called before there are threads: arenas that are there already stay.
pub(crate) fn bound() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let arenas = libc::c_int::try_from(cores).unwrap_or(libc::c_int::MAX);
        for (what, bound) in [
            (libc::M_ARENA_MAX, arenas),
            (libc::M_MMAP_THRESHOLD, LARGE_BYTES),
            (libc::M_TRIM_THRESHOLD, KEPT_BYTES),
        ] {
            // SAFETY: `mallopt` takes two numbers and touches no memory of ours. It is declared unsafe because it
            // is foreign, and it must not race with itself, which `main` calls once, before any thread. A value
            // that it does not take changes nothing (it returns 0), and then the allocator is as it was.
            let _ = unsafe { libc::mallopt(what, bound) };
        }
    }
}
