//! How often access tokens are used: a sliding minute for each, and when its use was last written down.
//!
//! Kept in memory and by the token's key, so that it outlives whatever is forgotten about callers; a restart forgives.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use loggia_model::Problem;
use loggia_model::error::REQUESTS_EXCEEDED;

use crate::access_token::AccessToken;

/// The seconds of the sliding minute.
const WINDOW: usize = 60;
/// The use of a token is written down at most so often.
const NOTED_EVERY: i64 = 60;
/// Beyond so many tokens, those that were not used for a while are forgotten.
const MOST_TOKENS: usize = 10_000;

/// What is known of each token's use.
#[derive(Debug, Default)]
pub(crate) struct Usage(Mutex<HashMap<String, Used>>);

#[derive(Debug)]
struct Used {
    /// Requests in each second, by the second modulo the window.
    seconds: [u32; WINDOW],
    /// The second of the last request.
    last: i64,
    /// When the use was last to be written down.
    noted: Option<i64>,
}

impl Usage {
    /// Counts a request. Whether its use is to be written down now.
    ///
    /// # Errors
    /// `REQUESTS_EXCEEDED` with the seconds to wait: the request does not count then.
    pub(crate) fn count(&self, token: &AccessToken, now: Timestamp) -> Result<bool, Problem> {
        let second = now.as_second();
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= MOST_TOKENS && !tokens.contains_key(&token.facts.id) {
            tokens.retain(|_, used| second - used.last < NOTED_EVERY);
        }
        let used = tokens.entry(token.facts.id.clone()).or_insert_with(|| Used {
            seconds: [0; WINDOW],
            last: second,
            noted: None,
        });
        used.slide_to(second);
        if let Some(limit) = token.requests_per_minute
            && used.sum() >= limit
        {
            return Err(exceeded(limit, used.wait(limit)));
        }
        let slot = &mut used.seconds[slot(used.last)];
        *slot = slot.saturating_add(1);
        let due = used.noted.is_none_or(|noted| used.last - noted >= NOTED_EVERY);
        if due {
            used.noted = Some(used.last);
        }
        Ok(due)
    }
}

impl Used {
    /// Forgets the seconds that are more than a minute ago. A clock that goes back stands still here.
    fn slide_to(&mut self, second: i64) {
        let passed = (second - self.last).clamp(0, WINDOW as i64);
        for step in 1..=passed {
            self.seconds[slot(self.last + step)] = 0;
        }
        if passed == WINDOW as i64 {
            self.seconds = [0; WINDOW];
        }
        self.last = self.last.max(second);
    }

    fn sum(&self) -> u64 {
        self.seconds.iter().map(|requests| u64::from(*requests)).sum()
    }

    /// The seconds until fewer than `limit` requests are left in the window.
    fn wait(&self, limit: u64) -> i64 {
        let mut left = self.sum();
        for step in 1..=WINDOW as i64 {
            left -= u64::from(self.seconds[slot(self.last + step)]);
            if left < limit {
                return step;
            }
        }
        WINDOW as i64
    }
}

fn slot(second: i64) -> usize {
    usize::try_from(second.rem_euclid(WINDOW as i64)).unwrap_or(0)
}

fn exceeded(limit: u64, wait: i64) -> Problem {
    let message = format!("This access token makes at most {limit} requests in a minute.");
    Problem::new(&REQUESTS_EXCEEDED, message)
        .hint(format!("Wait {wait} seconds."))
        .with("retry_after", wait)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::account::RightsRows;

    fn token(limit: Option<u64>) -> AccessToken {
        let row = json!({"id": "t", "mode": "direct", "requests_per_minute": limit});
        AccessToken::stored(row.as_object().unwrap(), &RightsRows::default())
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn the_minute_slides() {
        let (usage, token) = (Usage::default(), token(Some(3)));
        let retry = |second: i64| {
            let refused = usage.count(&token, at(second)).unwrap_err();
            refused.extensions["retry_after"].as_i64().unwrap()
        };
        assert!(usage.count(&token, at(0)).is_ok());
        assert!(usage.count(&token, at(30)).is_ok());
        assert!(usage.count(&token, at(30)).is_ok());
        assert_eq!(retry(59), 1);
        assert!(usage.count(&token, at(60)).is_ok());
        assert_eq!(retry(60), 30);
        assert_eq!(retry(10), 30, "a clock that goes back gives nothing");
        assert!(usage.count(&token, at(90)).is_ok());
        assert!(usage.count(&token, at(90)).is_ok());
        assert_eq!(retry(91), 29);
        assert!(usage.count(&token, at(1_000)).is_ok());
    }

    #[test]
    fn use_is_written_down_once_a_minute() {
        let (usage, token) = (Usage::default(), token(None));
        let due: Vec<_> = [0, 1, 59, 60, 61, 500]
            .into_iter()
            .map(|second| usage.count(&token, at(second)).unwrap())
            .collect();
        assert_eq!(due, [true, false, false, true, false, true]);
    }

    #[test]
    fn a_limit_that_cannot_be_read_admits_nothing() {
        let row = json!({"id": "t", "requests_per_minute": -1});
        let token = AccessToken::stored(row.as_object().unwrap(), &RightsRows::default());
        assert!(Usage::default().count(&token, at(0)).is_err());
    }
}
