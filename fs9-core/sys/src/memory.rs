//! Returning freed memory to the system: glibc keeps freed allocations in its heaps (`malloc_trim(3)`, `mallopt(3)`).

/// From how many bytes on an allocation has pages of its own: above the largest request of the kernel (1 MiB), whose
/// buffers come and go, and below the tables of a large mount and the transport's buffers.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const LARGE_BYTES: i32 = 4 << 20;

/// Gives large allocations pages of their own for good, that go back to the system when they are freed. By itself
/// glibc stops doing so once a large one was freed, and a table that grows on another thread leaves its old memory
/// behind in the first one's heap. To be called before there are threads.
pub fn keep_large_allocations_apart() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: the call takes no pointers; no other thread allocates meanwhile, as our caller promises, and glibc
        // would bear it if one did.
        let taken = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE_BYTES) };
        // Refused only for a value beyond HEAP_MAX_SIZE / 2, 32 MiB on 64 bits.
        debug_assert!(taken == 1, "glibc refused a threshold within its bounds");
    }
}

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
    fn large_allocations_leave_the_process_when_they_are_freed() {
        super::keep_large_allocations_apart();
        let resident_kib = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
        };
        let before = resident_kib();
        // By itself glibc keeps what is freed first, and serves what is asked for next from its heap.
        for _ in 0..3 {
            let large: Vec<Vec<u8>> = (1..=8).map(|_| vec![1; 8 << 20]).collect();
            let small = Box::new([1_u8; 64]);
            drop(large);
            assert_eq!(small.len(), 64);
        }
        assert!(resident_kib() < before + (16 << 10), "{before} KiB before, {} after", resident_kib());
    }

    #[test]
    fn what_is_still_in_use_survives() {
        let kept: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte; 5000]).collect();
        drop((0..1000).map(|_| vec![1u8; 5000]).collect::<Vec<_>>());
        super::return_free_memory();
        assert!(kept.iter().enumerate().all(|(index, bytes)| bytes.iter().all(|&b| usize::from(b) == index)));
    }
}
