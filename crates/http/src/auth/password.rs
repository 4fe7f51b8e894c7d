//! `POST /auth/password/request` `{email}`: the same answer whether the account exists or not.
//!
//! No mail is sent: this server has no way to send any. Administrators set passwords (`PATCH /users/:id`,
//! `loggia user`).

use axum::response::Response;

use super::login::address;
use super::members;
use crate::answer::{self, Refusal};
use crate::body::JsonBody;

pub(super) async fn request(body: JsonBody) -> Result<Response, Refusal> {
    address(&members(body.0)?)?;
    Ok(answer::no_content())
}
