//! MySQL (8.0.19 and later) and MariaDB (10.6 and later).

#![cfg_attr(not(test), expect(dead_code, reason = "no address leads here yet"))]

mod arguments;
mod calendar;
mod decimal_key;
mod defaults;
mod dialect;
mod exact;
mod functions;
mod json_key;
mod pattern;
#[cfg(test)]
mod tried;
mod types;

/// MariaDB's dialect, for the golden statements.
#[cfg(test)]
pub(super) fn dialect() -> &'static dyn crate::lower::Dialect {
    &dialect::MARIADB
}
