//! Removes what is older than the settings keep.

/// What is written as the tool of a change that removes old records.
pub(super) const TOOL: &str = "retention";
/// Where it comes from: nobody asked.
pub(super) const ORIGIN: &str = "system";
