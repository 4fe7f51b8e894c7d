//! `loggia_sign_ins`: what is remembered of how each user signed in, so that guessing and replaying are no use.

use super::{SystemCollection, SystemField as F, SystemRelation as R};
use crate::schema::Action;

/// The definition.
pub(super) static COLLECTION: SystemCollection = SystemCollection {
    accountability: None,
    icon: Some("login"),
    since: 3,
    fields: FIELDS,
    relations: &[R::new("user", "directus_users").on_delete(Action::Cascade)],
    ..SystemCollection::new(
        "loggia_sign_ins",
        "From where each user signed in, and with which one-time password last; kept by the system alone",
    )
};

const FIELDS: &[F] = &[
    F::uuid("user").given_key(),
    F::json("networks").note("Where guesses of strangers slow nobody down"),
    F::big_integer("otp_step").note("The half minute of the one-time password that was used last"),
    F::string("factor", 64)
        .since(4)
        .note("The fingerprint of the second factor that waits to be confirmed"),
    F::timestamp("factor_made_on").since(4).note("When that was made"),
];
