//! RSA keys whose private half can be computed from the public one (CVE-2017-15361, "ROCA"): those that Infineon's library
//! made. Their primes are 65537^a mod M, for a product M of small primes, so that the modulus is a power of 65537 modulo each
//! of these primes. Other keys pass for one with a probability below 2^-130.

use openssl::{bn::BigNumRef, error::ErrorStack};

const GENERATOR: u64 = 65_537;
/// The primes of the smallest M, which divides all others.
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
    113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Whether a modulus has the fingerprint.
///
/// # Errors
/// OpenSSL's, when it is out of memory.
pub(super) fn has_fingerprint(modulus: &BigNumRef) -> Result<bool, ErrorStack> {
    for prime in PRIMES {
        if !is_power(modulus.mod_word(prime)?, u64::from(prime)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether `rest` is a power of 65537 modulo a prime.
fn is_power(rest: u64, prime: u64) -> bool {
    let mut power = 1;
    loop {
        if power == rest {
            return true;
        }
        power = power * GENERATOR % prime;
        if power == 1 {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use openssl::{bn::BigNum, rsa::Rsa};

    use super::*;

    /// 65537^a mod M, as both primes of a weak key are: so is their product.
    fn weak_modulus() -> BigNum {
        let mut context = openssl::bn::BigNumContext::new().unwrap();
        let mut product = BigNum::from_u32(1).unwrap();
        for prime in PRIMES {
            product.mul_word(prime).unwrap();
        }
        let mut modulus = BigNum::new().unwrap();
        let (generator, exponent) = (BigNum::from_u32(65_537).unwrap(), BigNum::from_u32(1_234_567).unwrap());
        modulus.mod_exp(&generator, &exponent, &product, &mut context).unwrap();
        modulus
    }

    #[test]
    fn weak_keys_have_it_and_others_do_not() {
        assert!(has_fingerprint(&weak_modulus()).unwrap());
        for _ in 0..3 {
            assert!(!has_fingerprint(Rsa::generate(2_048).unwrap().n()).unwrap());
        }
    }
}
