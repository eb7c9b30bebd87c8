//! Counts allocations, when asked to.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use mimalloc::MiMalloc;

pub(crate) struct Counting;

static IS_COUNTING: AtomicBool = AtomicBool::new(false);
static COUNT: AtomicU64 = AtomicU64::new(0);

/// Counts from now on.
pub(crate) fn start() {
    COUNT.store(0, Relaxed);
    IS_COUNTING.store(true, Relaxed);
}

pub(crate) fn count() -> u64 {
    COUNT.load(Relaxed)
}

// SAFETY: each call is that of another allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if IS_COUNTING.load(Relaxed) {
            COUNT.fetch_add(1, Relaxed);
        }
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if IS_COUNTING.load(Relaxed) {
            COUNT.fetch_add(1, Relaxed);
        }
        unsafe { MiMalloc.realloc(pointer, layout, size) }
    }
}
