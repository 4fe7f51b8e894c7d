//! A bound on how often something is done in an hour.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// At most so many in each hour.
#[derive(Debug)]
pub(crate) struct Bound {
    most: u32,
    hour: Mutex<Option<(Timestamp, u32)>>,
}

impl Bound {
    pub(crate) fn new(most: u32) -> Self {
        Self {
            most,
            hour: Mutex::new(None),
        }
    }

    /// Whether it may be done once more; that is counted.
    pub(crate) fn admit(&self, now: Timestamp) -> bool {
        let mut hour = self.hour.lock().unwrap_or_else(PoisonError::into_inner);
        let running = hour.filter(|(began, _)| now.duration_since(*began) < SignedDuration::from_hours(1));
        let (began, count) = running.unwrap_or((now, 0));
        *hour = Some((began, count.saturating_add(1)));
        if count == self.most {
            tracing::warn!(
                most = self.most,
                "too many refused sign-ins: the rest of this hour is not recorded"
            );
        }
        count < self.most
    }
}

/// At most so many in each hour, for each key.
#[derive(Debug)]
pub(crate) struct Bounds {
    most: u32,
    hours: Mutex<HashMap<String, (Timestamp, u32)>>,
}

/// So many keys are remembered; those whose hour is over are forgotten first, and then those that did it least: a flood of
/// keys shuts nobody out.
const MOST_KEYS: usize = 50_000;

impl Bounds {
    pub(crate) fn new(most: u32) -> Self {
        Self {
            most,
            hours: Mutex::default(),
        }
    }

    /// Whether it may be done once more for this key; that is counted.
    pub(crate) fn admit(&self, key: &str, now: Timestamp) -> bool {
        let mut hours = self.hours.lock().unwrap_or_else(PoisonError::into_inner);
        let running = |began: Timestamp| now.duration_since(began) < SignedDuration::from_hours(1);
        if hours.len() >= MOST_KEYS && !hours.contains_key(key) {
            hours.retain(|_, (began, _)| running(*began));
            if hours.len() >= MOST_KEYS {
                let least = hours.iter().min_by_key(|(_, (began, count))| (*count, *began));
                if let Some(least) = least.map(|(key, _)| key.clone()) {
                    hours.remove(&least);
                }
            }
        }
        let hour = hours.entry(key.to_owned()).or_insert((now, 0));
        if !running(hour.0) {
            *hour = (now, 0);
        }
        hour.1 = hour.1.saturating_add(1);
        hour.1 <= self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_own_hour() {
        let bounds = Bounds::new(1);
        let now = Timestamp::UNIX_EPOCH;
        let later = now.saturating_add(SignedDuration::from_hours(1)).unwrap();
        assert!(bounds.admit("a", now) && !bounds.admit("a", now));
        assert!(bounds.admit("b", now));
        assert!(bounds.admit("a", later));
    }

    #[test]
    fn a_flood_of_keys_shuts_nobody_out_and_forgets_those_that_did_it_least() {
        let bounds = Bounds::new(2);
        let now = Timestamp::UNIX_EPOCH;
        assert!(bounds.admit("a", now) && bounds.admit("a", now));
        for n in 0..MOST_KEYS + 10 {
            assert!(bounds.admit(&format!("{n}"), now));
        }
        assert!(!bounds.admit("a", now));
        assert_eq!(bounds.hours.lock().unwrap().len(), MOST_KEYS);
    }

    #[test]
    fn an_hour_admits_so_many() {
        let bound = Bound::new(2);
        let at = |minutes: i64| {
            Timestamp::UNIX_EPOCH
                .saturating_add(SignedDuration::from_mins(minutes))
                .unwrap()
        };
        let admitted: Vec<_> = [0, 1, 2, 59, 60, 61, 62]
            .map(|minutes| bound.admit(at(minutes)))
            .to_vec();
        assert_eq!(admitted, [true, true, false, false, true, true, false]);
    }
}
