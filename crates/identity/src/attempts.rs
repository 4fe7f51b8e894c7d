//! Failed sign-ins. Guessing is made slow, and nobody is shut out by it whom strangers guess at.
//!
//! - One account from one network: each failure after the first few makes the next wait longer, and at the limit of the
//!   settings the account is closed to that network for a while.
//! - One account from everywhere: at the limit it becomes slow for networks that its user has never signed in from. They
//!   try one at a time, further and further apart. Networks that the user has signed in from stay open.
//!
//! Tries count from their beginning, so that many at once are no way around. Accounts that do not exist are counted like
//! those that do. The counts live in memory: a restart forgives.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use loggia_model::Problem;
use loggia_model::error::REQUESTS_EXCEEDED;

use crate::network::Network;

/// Failures that cost nothing.
const FREE: u32 = 5;
/// The limit where the settings name none: at it an account becomes slow, and is never closed.
const LIMIT: u32 = 25;
/// How long the limit closes the account to the network; and the longest wait.
const LOCK: SignedDuration = SignedDuration::from_mins(15);
/// Counts are forgotten when there was no failure for so long.
const FORGIVE: SignedDuration = SignedDuration::from_mins(60);
/// So many pairs, and so many accounts, are remembered; beyond that the ones that failed least go first.
const MOST: usize = 50_000;

/// The failures of each account, from each place and in all.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempts(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    pairs: HashMap<Pair, Failures>,
    accounts: HashMap<String, Failures>,
}

type Pair = (String, Place);

/// Where tries come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    /// From a network.
    Network(Network),
    /// From an address that nobody knows.
    Unknown,
    /// From somebody who is signed in as the user, wherever that is.
    SignedIn,
}

impl Place {
    pub(crate) fn of(ip: Option<IpAddr>) -> Self {
        ip.map_or(Self::Unknown, |ip| Self::Network(Network::of(ip)))
    }
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    /// Tries that are not decided yet.
    trying: u32,
    last: Timestamp,
    /// Nothing is tried before this.
    closed_until: Timestamp,
}

/// A try that is not decided yet. Dropped, it was none.
#[derive(Debug)]
pub(crate) struct Attempt {
    attempts: Attempts,
    pair: Pair,
    /// Whether the account's slowness holds for it.
    is_strange: bool,
    limit: Option<u32>,
}

impl Attempts {
    /// Whether an account is slow for networks that its user has never signed in from.
    pub(crate) fn is_slow(&self, account: &str, limit: Option<u32>, now: Timestamp) -> bool {
        let counts = self.lock();
        let failures = counts.accounts.get(&name(account));
        failures.is_some_and(|failures| {
            // What was forgiven meanwhile does not end a wait of strangers.
            failures.counted(now) >= limit.unwrap_or(LIMIT) || failures.closed_until > now
        })
    }

    /// Begins a try. `limit`: of the settings; `None` closes nothing, and only delays. `is_known`: the user has signed in
    /// from there before.
    ///
    /// # Errors
    /// `REQUESTS_EXCEEDED` with the seconds to wait.
    pub(crate) fn begin(
        &self,
        account: &str,
        place: Place,
        is_known: bool,
        limit: Option<u32>,
        now: Timestamp,
    ) -> Result<Attempt, Problem> {
        let pair = (name(account), place);
        let most = limit.unwrap_or(LIMIT);
        let mut counts = self.lock();
        let here = counts
            .pairs
            .get(&pair)
            .and_then(|failures| failures.wait(most, now));
        if let Some(wait) = here {
            let message = "Too many failed sign-ins for this account from this network.";
            let hint = format!(
                "Wait {wait} seconds; or ask for a new password, and choose it from here (POST /auth/password/request)."
            );
            return Err(exceeded(message, &hint, wait));
        }
        let everywhere = counts.accounts.get(&pair.0).filter(|_| !is_known);
        if let Some(wait) = everywhere.and_then(|failures| failures.wait(most, now)) {
            let hint = format!(
                "Wait {wait} seconds; sign in from where you have signed in before; or ask for a new password, and choose it \
                 from here (POST /auth/password/request)."
            );
            return Err(exceeded(
                "Too many failed sign-ins for this account.",
                &hint,
                wait,
            ));
        }
        let one = entry(&mut counts.pairs, pair.clone(), now);
        one.trying = one.trying.saturating_add(1);
        if !is_known {
            let all = entry(&mut counts.accounts, pair.0.clone(), now);
            all.trying = all.trying.saturating_add(1);
        }
        Ok(Attempt {
            attempts: self.clone(),
            pair,
            is_strange: !is_known,
            limit,
        })
    }

    /// Forgets the failures of an account from a place, whose user has shown to be there.
    pub(crate) fn forgive(&self, account: &str, place: Place) {
        let mut counts = self.lock();
        let account = name(account);
        let forgiven = match counts.pairs.get_mut(&(account.clone(), place)) {
            Some(failures) => std::mem::take(&mut failures.count),
            None => 0,
        };
        if let Some(failures) = counts.pairs.get_mut(&(account.clone(), place)) {
            failures.closed_until = Timestamp::MIN;
        }
        if let Some(failures) = counts.accounts.get_mut(&account) {
            failures.count = failures.count.saturating_sub(forgiven);
            if failures.count == 0 {
                failures.closed_until = Timestamp::MIN;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt {
    /// It was a wrong guess.
    pub(crate) fn failed(self, now: Timestamp) {
        let most = self.limit.unwrap_or(LIMIT);
        let mut counts = self.attempts.lock();
        let here = entry(&mut counts.pairs, self.pair.clone(), now);
        here.fail(now);
        let wait = match self.limit {
            Some(limit) if here.count >= limit => LOCK,
            _ => doubling(here.count, FREE),
        };
        here.closed_until = now.saturating_add(wait).unwrap_or(now);
        let all = entry(&mut counts.accounts, self.pair.0.clone(), now);
        all.fail(now);
        let wait = doubling(all.count, most);
        all.closed_until = now.saturating_add(wait).unwrap_or(now);
    }

    /// It was the user.
    pub(crate) fn succeeded(self) {
        self.attempts.forgive(&self.pair.0, self.pair.1);
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let mut counts = self.attempts.lock();
        end(&mut counts.pairs, &self.pair);
        if self.is_strange {
            end(&mut counts.accounts, &self.pair.0);
        }
    }
}

impl Failures {
    fn counted(&self, now: Timestamp) -> u32 {
        if now.duration_since(self.last) < FORGIVE {
            self.count
        } else {
            0
        }
    }

    /// The seconds until something may be tried; `None`: now.
    fn wait(&self, most: u32, now: Timestamp) -> Option<i64> {
        if self.closed_until > now {
            return Some(self.closed_until.duration_since(now).as_secs().max(1));
        }
        // As many as may fail still; one at least.
        let left = most.saturating_sub(self.counted(now)).max(1);
        (self.trying >= left).then_some(1)
    }

    fn fail(&mut self, now: Timestamp) {
        self.count = self.counted(now).saturating_add(1);
        self.last = now;
    }
}

/// What is counted for a key; room is made for it.
fn entry<K: Eq + Hash + Clone>(map: &mut HashMap<K, Failures>, key: K, now: Timestamp) -> &mut Failures {
    if map.len() >= MOST && !map.contains_key(&key) {
        map.retain(|_, failures| failures.trying > 0 || failures.counted(now) > 0);
        if map.len() >= MOST {
            let idle = map.iter().filter(|(_, failures)| failures.trying == 0);
            let least = idle.min_by_key(|(_, failures)| (failures.count, failures.last));
            if let Some(least) = least.map(|(key, _)| key.clone()) {
                map.remove(&least);
            }
        }
    }
    map.entry(key).or_insert(Failures {
        count: 0,
        trying: 0,
        last: now,
        closed_until: now,
    })
}

fn end<K: Eq + Hash>(map: &mut HashMap<K, Failures>, key: &K) {
    if let Some(failures) = map.get_mut(key) {
        failures.trying = failures.trying.saturating_sub(1);
        if failures.trying == 0 && failures.count == 0 {
            map.remove(key);
        }
    }
}

fn name(account: &str) -> String {
    account.to_lowercase()
}

fn exceeded(message: &str, hint: &str, wait: i64) -> Problem {
    Problem::new(&REQUESTS_EXCEEDED, message)
        .hint(hint)
        .with("retry_after", wait)
}

/// Nothing up to `free` failures; then 1, 2, 4 … seconds, at most [`LOCK`].
fn doubling(failures: u32, free: u32) -> SignedDuration {
    match failures.checked_sub(free) {
        None => SignedDuration::ZERO,
        Some(beyond) => SignedDuration::from_secs(1 << beyond.min(20)).min(LOCK),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::UNIX_EPOCH;

    fn from(third: u8, last: u8) -> Place {
        Place::of(Some(IpAddr::from([10, 0, third, last])))
    }

    fn later(by: SignedDuration) -> Timestamp {
        START.saturating_add(by).unwrap()
    }

    /// Fails, if it may be tried.
    fn fail(attempts: &Attempts, place: Place, is_known: bool, at: Timestamp) -> bool {
        match attempts.begin("A@x", place, is_known, Some(3), at) {
            Ok(attempt) => {
                attempt.failed(at);
                true
            }
            Err(_) => false,
        }
    }

    fn may(attempts: &Attempts, account: &str, place: Place, is_known: bool, at: Timestamp) -> bool {
        attempts.begin(account, place, is_known, Some(3), at).is_ok()
    }

    #[test]
    fn delays_grow_and_end() {
        let check = |failures: u32, seconds: i64| {
            assert_eq!(doubling(failures, FREE).as_secs(), seconds, "{failures}");
        };
        check(0, 0);
        check(4, 0);
        check(5, 1);
        check(6, 2);
        check(10, 32);
        check(1_000, 900);
    }

    #[test]
    fn failures_close_the_account_to_that_network_only() {
        let attempts = Attempts::default();
        let (here, there) = (from(0, 1), from(0, 2));
        for _ in 0..3 {
            assert!(fail(&attempts, here, true, START));
        }
        assert!(!may(&attempts, "a@x", here, true, START));
        assert!(may(&attempts, "a@x", there, true, START));
        assert!(may(&attempts, "b@x", here, true, START));
        let open = later(LOCK);
        assert!(may(&attempts, "a@x", here, true, open));
        attempts
            .begin("a@x", here, true, Some(3), open)
            .unwrap()
            .succeeded();
        assert!(fail(&attempts, here, true, open));
        assert!(may(&attempts, "a@x", here, true, open));
    }

    #[test]
    fn guesses_from_everywhere_make_it_slow_for_strangers_alone() {
        let attempts = Attempts::default();
        for last in 1..=3 {
            assert!(fail(&attempts, from(0, last), false, START));
        }
        assert!(attempts.is_slow("a@X", Some(3), START));
        assert!(!attempts.is_slow("b@x", Some(3), START));
        assert!(!may(&attempts, "a@x", from(0, 4), false, START));
        assert!(may(&attempts, "a@x", from(0, 4), true, START));
        // One at a time, further and further apart; a quarter of an hour at most.
        let mut at = START;
        for (seconds, last) in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]
            .into_iter()
            .zip(4..)
        {
            let before = at.saturating_add(SignedDuration::from_secs(seconds - 1)).unwrap();
            at = at.saturating_add(SignedDuration::from_secs(seconds)).unwrap();
            assert!(!may(&attempts, "a@x", from(1, last), false, before), "{seconds}");
            let first = attempts.begin("a@x", from(1, last), false, Some(3), at).unwrap();
            assert!(!may(&attempts, "a@x", from(2, last), false, at), "{seconds}");
            first.failed(at);
        }
        let forgiven = at.saturating_add(FORGIVE).unwrap();
        assert!(!attempts.is_slow("a@x", Some(3), forgiven));
    }

    #[test]
    fn a_success_forgives_what_failed_there_and_no_more() {
        let attempts = Attempts::default();
        assert!(fail(&attempts, from(0, 1), false, START));
        assert!(fail(&attempts, from(0, 2), false, START));
        attempts
            .begin("a@x", from(0, 1), false, Some(3), START)
            .unwrap()
            .succeeded();
        assert!(fail(&attempts, from(0, 3), false, START));
        assert!(!attempts.is_slow("a@x", Some(3), START));
        assert!(fail(&attempts, from(0, 4), false, START));
        assert!(attempts.is_slow("a@x", Some(3), START));
    }

    #[test]
    fn what_is_forgiven_leaves_nobody_waiting_whom_the_rest_does_not_concern() {
        // All failures were here: nobody waits any more.
        let attempts = Attempts::default();
        for _ in 0..3 {
            assert!(fail(&attempts, from(0, 1), true, START));
        }
        attempts.forgive("a@x", from(0, 1));
        assert!(!attempts.is_slow("a@x", Some(3), START));
        assert!(may(&attempts, "a@x", from(0, 1), false, START));
        // Others failed as well: strangers wait for the end of their wait, and it is asked who is none.
        let attempts = Attempts::default();
        assert!(fail(&attempts, from(0, 1), false, START));
        for last in 2..=3 {
            assert!(fail(&attempts, from(0, last), false, START));
        }
        attempts.forgive("a@x", from(0, 1));
        assert!(attempts.is_slow("a@x", Some(3), START));
        assert!(!may(&attempts, "a@x", from(0, 4), false, START));
        assert!(may(&attempts, "a@x", from(0, 1), true, START));
        let open = later(SignedDuration::from_secs(1));
        assert!(!attempts.is_slow("a@x", Some(3), open));
        assert!(may(&attempts, "a@x", from(0, 4), false, open));
    }

    #[test]
    fn tries_at_once_are_no_more_than_those_one_after_another() {
        let attempts = Attempts::default();
        let begin = |last: u8| attempts.begin("a@x", from(0, last), false, Some(3), START);
        let running: Vec<_> = (0..3).map(|_| begin(1).unwrap()).collect();
        assert!(begin(1).is_err());
        assert!(begin(2).is_err(), "nor from elsewhere");
        // Those that were given up were none.
        drop(running);
        assert!(attempts.lock().pairs.is_empty() && attempts.lock().accounts.is_empty());
        begin(1).unwrap().failed(START);
        let running: Vec<_> = (0..2).map(|_| begin(1).unwrap()).collect();
        assert!(begin(1).is_err());
        drop(running);
    }

    #[test]
    fn a_flood_is_bounded_and_forgets_those_that_failed_least() {
        let attempts = Attempts::default();
        for _ in 0..2 {
            assert!(fail(&attempts, from(0, 1), false, START));
        }
        let mut counts = attempts.lock();
        for n in 0..MOST + 10 {
            entry(&mut counts.pairs, (format!("{n}"), Place::Unknown), START).fail(START);
        }
        assert_eq!(counts.pairs.len(), MOST);
        assert_eq!(counts.pairs[&("a@x".to_owned(), from(0, 1))].count, 2);
    }
}
