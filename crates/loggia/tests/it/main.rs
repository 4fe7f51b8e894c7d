//! The binary, as whoever runs it meets it.

mod before_the_start;
mod binary;
