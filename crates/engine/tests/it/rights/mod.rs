//! What callers with permissions can do, and cannot.

mod desk;
mod reading;
mod variables;
