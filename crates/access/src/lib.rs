//! Decides what a caller may do. The only maker of [`Permit`], which is the only key to rows.
//!
//! Invariants
//! - A plan reaches the database only inside a [`Permit`], and only [`decide`] (for a [`Caller`]) and
//!   [`Permit::system`] (for the system's own bookkeeping, in the files that `cargo xtask tidy` names) make one.
//! - What is denied and what does not exist give the same answer ([`loggia_model::Problem::forbidden`]).
//! - A request that is made on a user's behalf (by an access token, or over MCP) loosens nothing that holds such
//!   requests, and lets nobody sign in: [`overstepped`] is the one place that says so.
//! - Pure: no IO, no SQL.
//!
//! To add a permission that everybody has, or to keep something from everybody: one row in `builtin.rs`. To hold
//! assistants by one more setting: its row in `delegation.rs`. To add a
//! kind of source, operand or condition to plans: its arm in `masks/`, in `secrets.rs`, and its case in the tables of
//! `tests/it`.

mod abilities;
mod builtin;
mod caller;
mod decide;
mod delegation;
mod grants;
mod ip_access;
mod masks;
mod outline;
mod permit;
mod rule_set;
mod rulebook;
mod secrets;
mod soundness;
mod table;
mod token_shape;
mod variables;

pub use abilities::{Abilities, AbilitiesQuestion, Changeable};
pub use caller::{Attribution, Caller, Claims, Layer, Origin, TokenFacts, TokenMode};
pub use decide::{
    decide, decide_beforehand, decide_created, decide_schema, may_change_schema, may_inspect_server,
};
pub use delegation::{Written, issued, overstepped, widened};
pub use grants::{Fields, Grants, may_read};
pub use ip_access::{IpAccess, is_ip_entry};
pub use permit::Permit;
pub use rule_set::{Broken, RuleSet};
pub use rulebook::{Action, Conditions, Permission, Rulebook};
pub use token_shape::TokenShape;
pub use variables::{Varies, left_over};
