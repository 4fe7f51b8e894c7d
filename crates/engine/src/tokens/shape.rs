//! Which tokens a caller may know of, and what a request makes of one.

use loggia_access::{Caller, TokenShape};
use loggia_model::{Problem, Record};

use super::request::Wanted;

/// A token with what a request says put in its place.
pub(super) fn changed(token: &TokenShape, wanted: &Wanted) -> TokenShape {
    fn put<T: Clone>(new: &Option<T>, old: &T) -> T {
        new.as_ref().unwrap_or(old).clone()
    }
    TokenShape {
        user: put(&wanted.user, &token.user),
        name: put(&wanted.name, &token.name),
        policies: put(&wanted.policies, &token.policies),
        expires: put(&wanted.expires, &token.expires),
        ip_access: put(&wanted.ip_access, &token.ip_access),
        requests_per_minute: put(&wanted.requests_per_minute, &token.requests_per_minute),
        changed_rows_per_hour: put(&wanted.changed_rows_per_hour, &token.changed_rows_per_hour),
        mode: put(&wanted.mode, &token.mode),
    }
}

/// The token by which a caller asks, as it is stored: `None` where the caller does not ask by one.
#[derive(Debug)]
pub(super) struct Holder(pub(super) Option<TokenShape>);

impl Holder {
    /// The token of a caller, by its row.
    ///
    /// # Errors
    /// When the caller asked by one that is not there any more.
    pub(super) fn of(caller: &Caller, row: Option<Record>) -> Result<Self, Problem> {
        if caller.claims().token.is_some() && row.is_none() {
            return Err(Problem::forbidden());
        }
        Ok(Self(row.as_ref().map(TokenShape::stored)))
    }

    /// Whether a token may be known to the caller.
    pub(super) fn knows(&self, caller: &Caller, token: &TokenShape) -> bool {
        let own = caller.user() == Some(token.user.as_str());
        (own || caller.is_admin()) && self.0.as_ref().is_none_or(|holder| token.is_within(holder))
    }
}
