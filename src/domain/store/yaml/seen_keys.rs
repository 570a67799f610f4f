//! The keys of a mapping, remembered for the search of duplicates.

use crate::domain::tree::Span;

/// A key for the search of duplicates.
#[derive(Clone, Copy)]
pub(super) struct SeenKey {
    pub(super) hash: u64,
    pub(super) text: Span,
    pub(super) start: u32,
}

/// True if no two hashes are equal, as far as a small table can tell quickly.
pub(super) fn all_differ(keys: &[SeenKey]) -> bool {
    let size = (keys.len() * 2).next_power_of_two();
    let mut table = vec![u32::MAX; size];
    for (at, key) in keys.iter().enumerate() {
        let mut place = key.hash as usize & (size - 1);
        let mut tries = 0;
        while let Some(other) = keys.get(table[place] as usize) {
            // A crowd of near hashes is left to sorting, which no input slows down.
            tries += 1;
            if other.hash == key.hash || tries > 64 {
                return false;
            }
            place = (place + 1) & (size - 1);
        }
        table[place] = at as u32;
    }
    true
}

/// A hash for telling keys apart; equal hashes are looked into.
pub(super) fn hash(bytes: &[u8], seed: u64) -> u64 {
    let mut state = (bytes.len() as u64) << 1 ^ seed;
    for chunk in bytes.chunks(8) {
        let mut buffer = [0; 8];
        buffer[..chunk.len()].copy_from_slice(chunk);
        state = (state ^ u64::from_le_bytes(buffer)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        state ^= state >> 29;
    }
    state.wrapping_mul(0xBF58_476D_1CE4_E5B9).rotate_left(32)
}
