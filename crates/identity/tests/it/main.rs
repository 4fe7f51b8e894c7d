//! Identity over a real database: who is asking, and how long.

mod authenticating;
mod first_administrator;
mod house;
mod sessions;
mod signing_in;
