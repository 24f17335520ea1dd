//! Returning freed memory to the system: glibc keeps small freed allocations in its heaps (`malloc_trim(3)`).

/// Returns whole free pages of all heaps to the system, where the C library keeps them; elsewhere it does nothing.
/// It takes about 90 ms for each GiB, and allocations of other threads may wait meanwhile.
pub fn return_free_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: the call takes no pointers and glibc documents it as safe in threads.
        let returned = unsafe { libc::malloc_trim(0) };
        // 1 or 0 says whether anything was there to return; both are fine.
        debug_assert!(returned == 0 || returned == 1, "malloc_trim broke its contract");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_still_in_use_survives() {
        let kept: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte; 5000]).collect();
        drop((0..1000).map(|_| vec![1u8; 5000]).collect::<Vec<_>>());
        super::return_free_memory();
        assert!(kept.iter().enumerate().all(|(index, bytes)| bytes.iter().all(|&b| usize::from(b) == index)));
    }
}
