//! Items through the engine, over a small newspaper.

mod aggregates;
mod creating;
mod deleting;
mod fields;
mod filters;
mod hostile;
mod nested;
pub(crate) mod newspaper;
mod random;
mod shapes;
mod system;
mod updating;
