//! Time and randomness, received rather than taken, so that every test can decide both.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use rand::rngs::{StdRng, SysRng};
use rand::{RngExt as _, SeedableRng as _};
use uuid::Uuid;

/// Where the current time comes from.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<Mutex<Timestamp>>>);

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still at `start` until [`Clock::advance`] moves it. For tests.
    #[must_use]
    pub fn mock(start: Timestamp) -> Self {
        Self(Some(Arc::new(Mutex::new(start))))
    }

    /// The current time, in UTC.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine")]
    pub fn now(&self) -> Timestamp {
        self.0.as_ref().map_or_else(Timestamp::now, |mock| *lock(mock))
    }

    /// Moves a mock clock forward; the machine's clock is not moved.
    pub fn advance(&self, by: SignedDuration) {
        if let Some(mock) = &self.0 {
            let mut now = lock(mock);
            *now = now.saturating_add(by).unwrap_or(Timestamp::MAX);
        }
    }
}

/// Where keys, tokens and salts come from.
#[derive(Clone, Debug)]
pub struct Generator(Arc<Mutex<StdRng>>);

impl Generator {
    /// Seeded by the operating system.
    ///
    /// # Panics
    /// When the operating system has no randomness to give: nothing safe could be done after that.
    #[must_use]
    pub fn system() -> Self {
        #[expect(clippy::expect_used, reason = "no safe way to go on without randomness")]
        let rng = StdRng::try_from_rng(&mut SysRng).expect("the operating system gives randomness");
        Self(Arc::new(Mutex::new(rng)))
    }

    /// The same sequence for the same seed. For tests.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// `N` unpredictable bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        lock(&self.0).fill(&mut bytes[..]);
        bytes
    }

    /// A random UUID (RFC 9562 version 4): the key of an item.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.bytes()).into_uuid()
    }

    /// A time-ordered UUID (RFC 9562 version 7): the key of a record that is listed by age.
    #[must_use]
    pub fn ordered_uuid(&self, now: Timestamp) -> Uuid {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &self.bytes()).into_uuid()
    }
}

/// A poisoned lock here guards plain data, which is whole at every moment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mock_clock_moves_only_when_told() {
        let clock = Clock::mock(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), clock.now());
        clock.advance(SignedDuration::from_secs(5));
        assert_eq!(clock.now().as_second(), 5);
    }

    #[test]
    fn the_same_seed_gives_the_same_keys_in_order_of_time() {
        let (a, b) = (Generator::seeded(7), Generator::seeded(7));
        assert_eq!(a.uuid(), b.uuid());
        let early = a.ordered_uuid(Timestamp::UNIX_EPOCH);
        let late = a.ordered_uuid(Timestamp::from_second(10).unwrap());
        assert!(early < late);
    }
}
