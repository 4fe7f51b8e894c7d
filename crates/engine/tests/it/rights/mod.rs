//! What callers with permissions can do, and cannot.

mod desk;
mod lists;
mod reading;
mod recipes;
mod saving;
mod standing;
mod validation;
mod variables;
mod writing;
