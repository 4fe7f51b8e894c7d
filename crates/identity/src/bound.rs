//! A bound on how often something is done in an hour.

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

#[cfg(test)]
mod tests {
    use super::*;

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
