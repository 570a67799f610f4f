//! Shamir's secret sharing of a data key over GF(2⁸), in the field and share
//! layout of HashiCorp Vault, which SOPS uses (sops-compat 8): modulus 0x11B,
//! one polynomial a byte, the x coordinate as the share's last byte.

use rand::{CryptoRng, RngCore};
use zeroize::Zeroizing;

use crate::domain::secret::SecretBytes;

/// Why shares could not be made or joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShamirError {
    /// A threshold below two shares nothing.
    #[error("threshold must be at least 2")]
    ThresholdTooSmall,
    /// More shares are asked for than there are.
    #[error("parts cannot be less than threshold")]
    TooFewParts,
    /// More than 255 shares.
    #[error("parts cannot exceed 255")]
    TooManyParts,
    /// Shares of different lengths, without content, or with one x twice.
    #[error("the shares of the data key do not fit each other")]
    Mismatched,
}

/// Splits `secret` into `parts` shares of which any `threshold` give it back.
pub fn split(
    secret: &[u8],
    parts: usize,
    threshold: usize,
    rng: &mut (impl RngCore + CryptoRng + ?Sized),
) -> Result<Vec<SecretBytes>, ShamirError> {
    if threshold < 2 {
        return Err(ShamirError::ThresholdTooSmall);
    }
    if parts < threshold {
        return Err(ShamirError::TooFewParts);
    }
    let Ok(count) = u8::try_from(parts) else { return Err(ShamirError::TooManyParts) };
    let mut shares: Vec<Vec<u8>> = (1..=count)
        .map(|x| {
            let mut share = vec![0; secret.len() + 1];
            share[secret.len()] = x;
            share
        })
        .collect();
    let mut coefficients = Zeroizing::new(vec![0; threshold - 1]);
    for (index, &byte) in secret.iter().enumerate() {
        rng.fill_bytes(&mut coefficients);
        for share in &mut shares {
            let x = share[secret.len()];
            let high = coefficients.iter().rev().fold(0, |sum, &coefficient| multiply(sum, x) ^ coefficient);
            share[index] = multiply(high, x) ^ byte;
        }
    }
    Ok(shares.into_iter().map(SecretBytes::new).collect())
}

/// Joins shares by interpolation at zero over all of them.
pub fn combine(shares: &[SecretBytes]) -> Result<SecretBytes, ShamirError> {
    let [first, rest @ ..] = shares else { return Err(ShamirError::TooFewParts) };
    let length = first.len();
    if rest.is_empty() || length < 2 {
        return Err(ShamirError::TooFewParts);
    }
    let xs: Vec<u8> = shares.iter().filter_map(|share| share.last().copied()).collect();
    let distinct = (1..xs.len()).all(|at| !xs[..at].contains(&xs[at]));
    if !distinct || xs.contains(&0) || shares.iter().any(|share| share.len() != length) {
        return Err(ShamirError::Mismatched);
    }
    let weights: Vec<u8> = xs
        .iter()
        .map(|&x| {
            xs.iter()
                .filter(|&&other| other != x)
                .fold(1, |product, &other| multiply(product, multiply(other, invert(other ^ x))))
        })
        .collect();
    let secret = (0..length - 1)
        .map(|index| {
            shares.iter().zip(&weights).fold(0, |sum, (share, &weight)| sum ^ multiply(share[index], weight))
        })
        .collect::<Vec<u8>>();
    Ok(SecretBytes::new(secret))
}

/// Product in GF(2⁸) without branches or look-ups that depend on the factors.
fn multiply(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    for _ in 0..8 {
        product ^= a & 0u8.wrapping_sub(b & 1);
        a = (a << 1) ^ (0x1b & 0u8.wrapping_sub(a >> 7));
        b >>= 1;
    }
    product
}

/// The multiplicative inverse: a²⁵⁴.
fn invert(a: u8) -> u8 {
    (0..253).fold(a, |power, _| multiply(power, a))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::{ShamirError, combine, split};

    #[test]
    fn any_threshold_of_shares_gives_the_secret() {
        let mut rng = StdRng::seed_from_u64(5);
        let secret: Vec<u8> = (0..32).map(|i| i * 7).collect();
        let shares = split(&secret, 5, 3, &mut rng).unwrap();
        for picked in [[0, 1, 2], [4, 2, 0], [1, 3, 4]] {
            let picked: Vec<_> = picked.iter().map(|&at| shares[at].clone()).collect();
            assert_eq!(&combine(&picked).unwrap()[..], &secret);
        }
        assert_eq!(&combine(&shares).unwrap()[..], &secret);
        assert_ne!(&combine(&shares[..2]).unwrap()[..], &secret);
    }

    #[test]
    fn impossible_shares_are_refused() {
        let mut rng = StdRng::seed_from_u64(5);
        assert_eq!(split(b"k", 3, 1, &mut rng), Err(ShamirError::ThresholdTooSmall));
        assert_eq!(split(b"k", 1, 2, &mut rng), Err(ShamirError::TooFewParts));
        let shares = split(b"k", 2, 2, &mut rng).unwrap();
        assert_eq!(combine(&[shares[0].clone(), shares[0].clone()]), Err(ShamirError::Mismatched));
        assert_eq!(combine(&shares[..1]), Err(ShamirError::TooFewParts));
    }
}
