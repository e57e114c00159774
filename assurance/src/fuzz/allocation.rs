//! How much memory something takes at most. The allocator of everything that links this crate counts, for each thread.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use anyhow::{Result, ensure};

struct Counting;

thread_local! {
    /// The bytes that this thread holds, and the most that it held since [`measure`] began. Negative where it freed what
    /// another thread allocated.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

fn count(bytes: isize) {
    // Not where a thread ends: then nobody measures.
    let _ = HELD.try_with(|held| {
        let (now, most) = held.get();
        let now = now.wrapping_add(bytes);
        held.set((now, most.max(now)));
    });
}

fn size(bytes: usize) -> isize {
    isize::try_from(bytes).unwrap_or(isize::MAX)
}

// SAFETY: everything is the system's allocator's; the count beside it allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(size(layout.size()));
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(size(layout.size()));
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // Both are there for a moment.
        count(size(new_size));
        count(size(layout.size()).wrapping_neg());
        unsafe { System.realloc(pointer, layout, new_size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(size(layout.size()).wrapping_neg());
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Does it, and says how many bytes more than before this thread held at most while it was done.
pub fn measure<T>(it: impl FnOnce() -> T) -> (T, usize) {
    let (before, _) = HELD.get();
    HELD.set((before, before));
    let result = it();
    let (_, most) = HELD.get();
    (result, usize::try_from(most.wrapping_sub(before)).unwrap_or(0))
}

/// Whether `peak` is at most `times` the input and a constant.
pub fn in_proportion(peak: usize, input: usize, times: usize, constant: usize) -> Result<()> {
    let most = input.saturating_mul(times).saturating_add(constant);
    ensure!(peak <= most, "{peak} bytes of memory for {input} bytes of input, and {most} are in proportion");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_at_once_is_counted() {
        let (_, peak) = measure(|| {
            drop(Vec::<u8>::with_capacity(10_000));
            Vec::<u8>::with_capacity(1_000)
        });
        assert_eq!(peak, 10_000);
    }
}
