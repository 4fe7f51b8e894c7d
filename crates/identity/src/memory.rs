//! What is remembered of a user who signs in, in a row of `loggia_sign_ins`: from which networks it was, which one-time
//! password was used last, and which second factor waits to be confirmed.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use loggia_model::{Record, Scalar};
use serde_json::{Value, json};

use crate::account::text;
use crate::network::Network;
use crate::tables::moment;
use crate::totp;

/// So many networks are remembered; those that were used longest ago are forgotten first.
const MOST: usize = 20;
/// A network is forgotten when nobody signed in from it for so long.
const LONGEST: SignedDuration = SignedDuration::from_hours(180 * 24);
/// How long a second factor waits for its first code.
const PATIENCE: SignedDuration = SignedDuration::from_mins(15);
/// That a network was used again is written down at most so often.
const NOTED_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// What is remembered of a user.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Each with the last sign-in from it, the last first.
    networks: Vec<(String, Timestamp)>,
    /// The step of the one-time password that was used last.
    step: Option<i64>,
    /// The fingerprint of the second factor that was made last and is not confirmed, and when that was.
    factor: Option<(String, Timestamp)>,
    /// Whether there is a row.
    pub(crate) is_stored: bool,
    /// Whether it is not as it is stored.
    pub(crate) is_new: bool,
}

impl Memory {
    /// Reads the row, if there is one.
    pub(crate) fn stored(row: Option<&Record>) -> Self {
        let Some(row) = row else {
            return Self::default();
        };
        let networks = row.get("networks").and_then(Value::as_array);
        let network = |entry: &Value| {
            let used = entry.get("used")?.as_str()?.parse().ok()?;
            Some((entry.get("network")?.as_str()?.to_owned(), used))
        };
        Self {
            networks: networks.into_iter().flatten().filter_map(network).collect(),
            step: row.get("otp_step").and_then(|step| match step {
                Value::String(step) => step.parse().ok(),
                step => step.as_i64(),
            }),
            factor: text(row, "factor").zip(text(row, "factor_made_on").and_then(|made| made.parse().ok())),
            is_stored: true,
            is_new: false,
        }
    }

    /// The columns as they are to be stored.
    pub(crate) fn columns(&self) -> [(&'static str, Scalar); 4] {
        let network =
            |(network, used): &(String, Timestamp)| json!({"network": network, "used": used.to_string()});
        let networks: Vec<_> = self.networks.iter().map(network).collect();
        let factor = self.factor.as_ref();
        [
            ("networks", Value::from(networks).to_string().into()),
            ("otp_step", self.step.map(Scalar::Int).unwrap_or_default()),
            (
                "factor",
                factor.map(|(fingerprint, _)| fingerprint.as_str()).into(),
            ),
            (
                "factor_made_on",
                factor.map(|(_, made)| moment(*made)).unwrap_or_default(),
            ),
        ]
    }

    /// Notes a second factor that was made, in the place of the one before.
    pub(crate) fn made(&mut self, fingerprint: String, now: Timestamp) {
        self.factor = Some((fingerprint, now));
        self.is_new = true;
    }

    /// Whether it was made lately, and not confirmed.
    pub(crate) fn was_made(&self, fingerprint: &str, now: Timestamp) -> bool {
        self.factor
            .as_ref()
            .is_some_and(|(known, made)| known == fingerprint && now.duration_since(*made) < PATIENCE)
    }

    /// Forgets the second factor that was made.
    pub(crate) fn forget_factor(&mut self) {
        self.factor = None;
        self.is_new = true;
    }

    /// Whether the user has signed in from the network of an address.
    pub(crate) fn knows(&self, ip: Option<IpAddr>, now: Timestamp) -> bool {
        let Some(network) = ip.map(|ip| Network::of(ip).to_string()) else {
            return false;
        };
        let mut fresh = self
            .networks
            .iter()
            .filter(|(_, used)| now.duration_since(*used) < LONGEST);
        fresh.any(|(known, _)| *known == network)
    }

    /// Notes from where the user signed in.
    pub(crate) fn came_from(&mut self, ip: Option<IpAddr>, now: Timestamp) {
        let Some(network) = ip.map(|ip| Network::of(ip).to_string()) else {
            return;
        };
        let same = |(known, used): &(String, Timestamp)| {
            *known == network && now.duration_since(*used) < NOTED_EVERY && now >= *used
        };
        if self.networks.iter().any(same) {
            return;
        }
        self.networks
            .retain(|(known, used)| *known != network && now.duration_since(*used) < LONGEST);
        self.networks.insert(0, (network, now));
        self.networks.truncate(MOST);
        self.is_new = true;
    }

    /// Forgets all networks.
    pub(crate) fn forget_networks(&mut self) {
        self.networks.clear();
        self.is_new = true;
    }

    /// Whether a code is one of the secret's and later than the one that was used last; it is used up by that.
    pub(crate) fn use_up(&mut self, secret: &str, code: &str, now: Timestamp) -> bool {
        let step = totp::decode(secret)
            .and_then(|secret| totp::step_of(&secret, code.trim(), now.as_second(), self.step));
        if step.is_some() {
            self.step = step;
            self.is_new = true;
        }
        step.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        let start = Timestamp::from_second(1_800_000_000).unwrap();
        start.saturating_add(SignedDuration::from_hours(hours)).unwrap()
    }

    fn address(last: u8) -> Option<IpAddr> {
        Some(IpAddr::from([10, 0, 0, last]))
    }

    /// As it comes back from the database.
    fn stored(memory: &Memory) -> Memory {
        let mut row = Record::new();
        for (name, value) in memory.columns() {
            let value = match value {
                Scalar::Null => Value::Null,
                Scalar::Int(number) => number.into(),
                Scalar::Text(text) if name == "networks" => serde_json::from_str(&text).unwrap(),
                Scalar::Text(text) => text.into(),
                other => panic!("{name}: {other:?}"),
            };
            row.insert(name.to_owned(), value);
        }
        Memory::stored(Some(&row))
    }

    #[test]
    fn networks_are_remembered_for_a_while() {
        let mut memory = Memory::default();
        assert!(!memory.knows(address(1), at(0)));
        memory.came_from(address(1), at(0));
        assert!(memory.is_new);
        let mut memory = stored(&memory);
        assert!(memory.knows(address(1), at(1)) && !memory.knows(address(2), at(1)));
        assert!(!memory.knows(None, at(1)));
        memory.came_from(None, at(1));
        memory.came_from(address(1), at(23));
        assert!(!memory.is_new, "nothing worth a write");
        memory.came_from(address(1), at(24));
        assert!(memory.is_new);
        assert!(memory.knows(address(1), at(24 * 180)));
        assert!(!memory.knows(address(1), at(24 * 181)));
        for last in 2..=21 {
            memory.came_from(address(last), at(48));
        }
        assert!(!memory.knows(address(1), at(48)), "the longest ago is forgotten");
        assert!(memory.knows(address(2), at(48)));
        memory.forget_networks();
        assert!(!memory.knows(address(2), at(48)));
    }

    #[test]
    fn a_factor_waits_for_a_quarter_of_an_hour() {
        let mut memory = Memory::default();
        memory.made("a".to_owned(), at(0));
        let mut memory = stored(&memory);
        let minutes = |minutes| at(0).saturating_add(SignedDuration::from_mins(minutes)).unwrap();
        assert!(memory.was_made("a", minutes(14)) && !memory.was_made("a", minutes(15)));
        assert!(!memory.was_made("b", at(0)));
        memory.made("b".to_owned(), at(0));
        assert!(memory.was_made("b", at(0)) && !memory.was_made("a", at(0)));
        memory.forget_factor();
        assert!(!stored(&memory).was_made("b", at(0)));
    }

    #[test]
    fn a_code_is_used_up_for_good() {
        let secret = totp::encode(b"12345678901234567890");
        let code = totp::one_time_password(&secret, at(0)).unwrap();
        let mut memory = Memory::default();
        assert!(!memory.use_up("not base32!", &code, at(0)));
        assert!(!memory.is_new);
        assert!(memory.use_up(&secret, &code, at(0)));
        assert!(!memory.use_up(&secret, &code, at(0)));
        assert!(!stored(&memory).use_up(&secret, &code, at(0)));
        let next = totp::one_time_password(&secret, at(1)).unwrap();
        assert!(stored(&memory).use_up(&secret, &next, at(1)));
    }
}
