//! Sieve of Eratosthenes: tight loops over bytes of memory.

use crate::seeded::checksum;

/// The checksum of all primes below `limit`.
pub fn sieve(limit: u32) -> u64 {
    checksum(primes_below(limit).map(u64::from).chain([u64::from(limit)]))
}

/// The primes below `limit`.
pub fn primes_below(limit: u32) -> impl Iterator<Item = u32> {
    let limit = limit as usize;
    let mut composite = vec![false; limit];
    let mut factor = 2;
    while factor * factor < limit {
        if !composite[factor] {
            let mut multiple = factor * factor;
            while multiple < limit {
                composite[multiple] = true;
                multiple += factor;
            }
        }
        factor += 1;
    }
    (2..limit as u32).filter(move |&number| !composite[number as usize])
}
