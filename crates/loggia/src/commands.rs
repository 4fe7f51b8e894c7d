//! What the binary does, one file for each command.
#![allow(
    clippy::print_stdout,
    reason = "a command answers on its terminal; events go to the log"
)]

pub(crate) mod audit;
pub(crate) mod bootstrap;
pub(crate) mod copy;
pub(crate) mod doctor;
pub(crate) mod mcp;
pub(crate) mod serve;
pub(crate) mod token;
pub(crate) mod user;
