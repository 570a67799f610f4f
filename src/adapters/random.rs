//! The system's randomness. A value's nonce takes 32 bytes; asking the system
//! for each would cost more than encrypting it, so a generator is seeded from
//! the system once a thread.
#![expect(clippy::disallowed_methods, reason = "the home of the system's randomness")]

use crate::app::ports::{Random, SecureRng};

/// `ThreadRng` of the `rand` crate: ChaCha12 seeded, and seeded again every 64 KiB,
/// by the system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn rng(&self) -> Box<dyn SecureRng> {
        Box::new(rand::thread_rng())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generators_differ() {
        let (mut first, mut second) = ([0; 32], [0; 32]);
        SystemRandom.rng().fill_bytes(&mut first);
        SystemRandom.rng().fill_bytes(&mut second);
        assert_ne!(first, second);
        assert_ne!(first, [0; 32]);
    }
}
