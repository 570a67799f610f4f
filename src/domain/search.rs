//! Searching bytes with the vectors that every processor of its kind has.
//!
//! The `memchr` crate first asks an x86 processor what else it can do. On a virtual
//! machine each of those nine questions is answered by the hypervisor, which takes
//! longer than to decrypt the values of a small file. Lines are short: wider vectors
//! find their ends no sooner.

#[cfg(target_arch = "x86_64")]
use memchr::arch::x86_64::sse2::{
    memchr::{One, Three, Two},
    packedpair,
};

/// Where `needle` stands first in `bytes`.
pub fn memchr(needle: u8, bytes: &[u8]) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    if let Some(finder) = One::new(needle) {
        return finder.find(bytes);
    }
    memchr::memchr(needle, bytes)
}

/// Where `needle` stands last in `bytes`.
pub fn memrchr(needle: u8, bytes: &[u8]) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    if let Some(finder) = One::new(needle) {
        return finder.rfind(bytes);
    }
    memchr::memrchr(needle, bytes)
}

/// Where one of two bytes stands first in `bytes`.
pub fn memchr2(one: u8, two: u8, bytes: &[u8]) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    if let Some(finder) = Two::new(one, two) {
        return finder.find(bytes);
    }
    memchr::memchr2(one, two, bytes)
}

/// Where one of three bytes stands first in `bytes`.
pub fn memchr3(one: u8, two: u8, three: u8, bytes: &[u8]) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    if let Some(finder) = Three::new(one, two, three) {
        return finder.find(bytes);
    }
    memchr::memchr3(one, two, three, bytes)
}

/// Where `needle`, a word of few bytes, stands first in `bytes`.
pub fn memmem(needle: &[u8], bytes: &[u8]) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    if let Some(finder) = packedpair::Finder::new(needle) {
        return match bytes.len() < finder.min_haystack_len() {
            true => memchr::arch::all::rabinkarp::Finder::new(needle).find(bytes, needle),
            false => finder.find(bytes, needle),
        };
    }
    memchr::memmem::find(bytes, needle)
}

/// Every place of `needle` in `bytes`.
pub fn memchr_iter(needle: u8, bytes: &[u8]) -> impl Iterator<Item = usize> {
    every(bytes, move |rest| memchr(needle, rest))
}

/// Every place of one of two bytes in `bytes`.
pub fn memchr2_iter(one: u8, two: u8, bytes: &[u8]) -> impl Iterator<Item = usize> {
    every(bytes, move |rest| memchr2(one, two, rest))
}

/// Every place of one of three bytes in `bytes`.
pub fn memchr3_iter(one: u8, two: u8, three: u8, bytes: &[u8]) -> impl Iterator<Item = usize> {
    every(bytes, move |rest| memchr3(one, two, three, rest))
}

/// Every place that `first` finds in `bytes` and then behind the last one.
fn every(bytes: &[u8], first: impl Fn(&[u8]) -> Option<usize>) -> impl Iterator<Item = usize> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let at = start + first(&bytes[start..])?;
        start = at + 1;
        Some(at)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn finds_what_the_library_finds() {
        let text: Vec<u8> = (0..400u32).map(|at| (at * at / 7 % 11) as u8).collect();
        for start in (0..40).chain(360..=400) {
            for end in [start, start + 1, start + 15, start + 16, start + 33, 400] {
                let Some(bytes) = text.get(start..end) else { continue };
                for (a, b, c) in [(1, 2, 3), (9, 9, 9), (10, 4, 7), (200, 201, 202)] {
                    assert_eq!(super::memchr(a, bytes), memchr::memchr(a, bytes));
                    assert_eq!(super::memrchr(a, bytes), memchr::memrchr(a, bytes));
                    assert_eq!(super::memchr2(a, b, bytes), memchr::memchr2(a, b, bytes));
                    assert_eq!(super::memchr3(a, b, c, bytes), memchr::memchr3(a, b, c, bytes));
                    for needle in [
                        &[][..],
                        &[a],
                        &[a, b],
                        &[a, b, c],
                        &[b; 20],
                        text.get(start..start + 9).unwrap_or(&[]),
                    ] {
                        assert_eq!(super::memmem(needle, bytes), memchr::memmem::find(bytes, needle));
                    }
                    assert!(super::memchr_iter(a, bytes).eq(memchr::memchr_iter(a, bytes)));
                    assert!(super::memchr2_iter(a, b, bytes).eq(memchr::memchr2_iter(a, b, bytes)));
                    assert!(super::memchr3_iter(a, b, c, bytes).eq(memchr::memchr3_iter(a, b, c, bytes)));
                }
            }
        }
    }
}
