//! Failed sign-ins, counted per account and address: each one after the first few makes the next wait longer, and at the
//! limit of the settings the account is closed to that address for a while. They are counted per account as well: at the
//! limit the account is to be suspended.
//!
//! Accounts that do not exist are counted like those that do. The counts live in memory: a restart forgives.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use loggia_model::Problem;
use loggia_model::error::REQUESTS_EXCEEDED;

/// Failures that cost nothing.
const FREE: u32 = 5;
/// How long the limit closes the account to the address.
const LOCK: SignedDuration = SignedDuration::from_mins(15);
/// Counts are forgotten when there was no failure for so long.
const FORGIVE: SignedDuration = SignedDuration::from_mins(60);
/// So many pairs, and so many accounts, are remembered; beyond that the ones that waited longest go first.
const MOST: usize = 50_000;

/// The failures of each account, from each address and in all.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    pairs: HashMap<(String, Option<IpAddr>), Failures>,
    accounts: HashMap<String, Failures>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Timestamp,
    /// Nothing is tried before this.
    closed_until: Timestamp,
}

impl Attempts {
    /// Whether a try may be made now.
    ///
    /// # Errors
    /// `REQUESTS_EXCEEDED` with the seconds to wait.
    pub(crate) fn admit(&self, account: &str, ip: Option<IpAddr>, now: Timestamp) -> Result<(), Problem> {
        let failures = self.lock().pairs.get(&(name(account), ip)).copied();
        match failures {
            Some(failures) if failures.closed_until > now => {
                let wait = failures.closed_until.duration_since(now).as_secs().max(1);
                Err(Problem::new(
                    &REQUESTS_EXCEEDED,
                    "Too many failed sign-ins for this account from this address.",
                )
                .hint(format!("Wait {wait} seconds."))
                .with("retry_after", wait))
            }
            _ => Ok(()),
        }
    }

    /// Notes a failure. `limit` closes the account to the address for a quarter of an hour; `None`: only delays.
    /// Whether the account has had so many failures now, wherever from: its count begins anew then.
    pub(crate) fn failed(
        &self,
        account: &str,
        ip: Option<IpAddr>,
        limit: Option<u32>,
        now: Timestamp,
    ) -> bool {
        let mut counts = self.lock();
        let pair = note(&mut counts.pairs, (name(account), ip), now);
        let delay = match limit {
            Some(limit) if pair.count >= limit => LOCK,
            _ => delay(pair.count),
        };
        pair.closed_until = now.saturating_add(delay).unwrap_or(now);
        let all = note(&mut counts.accounts, name(account), now);
        let reached = limit.is_some_and(|limit| all.count >= limit);
        if reached {
            counts.accounts.remove(&name(account));
        }
        reached
    }

    /// Forgets the failures of an account that signed in from there.
    pub(crate) fn succeeded(&self, account: &str, ip: Option<IpAddr>) {
        let mut counts = self.lock();
        counts.pairs.remove(&(name(account), ip));
        counts.accounts.remove(&name(account));
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note<K: Eq + Hash + Clone>(map: &mut HashMap<K, Failures>, key: K, now: Timestamp) -> &mut Failures {
    if map.len() >= MOST {
        map.retain(|_, failures| now.duration_since(failures.last) < FORGIVE);
        if map.len() >= MOST
            && let Some(oldest) = map
                .iter()
                .min_by_key(|(_, failures)| failures.last)
                .map(|(key, _)| key.clone())
        {
            map.remove(&oldest);
        }
    }
    let failures = map.entry(key).or_insert(Failures {
        count: 0,
        last: now,
        closed_until: now,
    });
    if now.duration_since(failures.last) >= FORGIVE {
        failures.count = 0;
    }
    failures.count = failures.count.saturating_add(1);
    failures.last = now;
    failures
}

fn name(account: &str) -> String {
    account.to_lowercase()
}

/// 1, 2, 4 … seconds, at most [`LOCK`].
fn delay(failures: u32) -> SignedDuration {
    match failures.checked_sub(FREE) {
        None => SignedDuration::ZERO,
        Some(beyond) => SignedDuration::from_secs(1 << beyond.min(20)).min(LOCK),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_and_end() {
        let check =
            |failures: u32, seconds: i64| assert_eq!(delay(failures).as_secs(), seconds, "{failures}");
        check(0, 0);
        check(4, 0);
        check(5, 1);
        check(6, 2);
        check(10, 32);
        check(1_000, 900);
    }

    #[test]
    fn failures_close_the_account_to_that_address_only() {
        let attempts = Attempts::default();
        let now = Timestamp::UNIX_EPOCH;
        let (here, there) = (Some([10, 0, 0, 1].into()), Some([10, 0, 0, 2].into()));
        for _ in 0..3 {
            attempts.failed("A@x", here, Some(3), now);
        }
        assert!(attempts.admit("a@x", here, now).is_err());
        assert!(attempts.admit("a@x", there, now).is_ok());
        assert!(attempts.admit("b@x", here, now).is_ok());
        let later = now.saturating_add(LOCK).unwrap();
        assert!(attempts.admit("a@x", here, later).is_ok());
        attempts.succeeded("a@x", here);
        attempts.failed("a@x", here, Some(3), later);
        assert!(attempts.admit("a@x", here, later).is_ok());
    }

    #[test]
    fn the_limit_counts_failures_from_everywhere_and_in_a_row() {
        let attempts = Attempts::default();
        let now = Timestamp::UNIX_EPOCH;
        let from = |last: u8| Some(IpAddr::from([10, 0, 0, last]));
        let fail = |last: u8, at: Timestamp| attempts.failed("a@x", from(last), Some(3), at);
        assert_eq!([fail(1, now), fail(2, now), fail(3, now)], [false, false, true]);
        assert_eq!([fail(4, now), fail(5, now)], [false, false]);
        attempts.succeeded("A@X", from(5));
        assert_eq!([fail(6, now), fail(7, now)], [false, false]);
        let later = now.saturating_add(FORGIVE).unwrap();
        assert!(!fail(8, later));
        assert!(
            !attempts.failed("a@x", from(9), None, later),
            "without a limit there is none"
        );
    }
}
