//! `directus_folders`: where files are kept in the Studio.

use super::{SystemCollection, SystemField as F, SystemRelation as R};
use crate::schema::Action;

/// The definition.
pub(super) static COLLECTION: SystemCollection = SystemCollection {
    display_template: Some("{{ name }}"),
    fields: FIELDS,
    relations: &[R::new("parent", "directus_folders").on_delete(Action::NoAction)],
    ..SystemCollection::new("directus_folders", "Folders of files")
};

const FIELDS: &[F] = &[
    F::key("id"),
    F::string("name", 255).not_null(),
    F::reference("parent"),
    F::string("type", 255).not_null().default("files").hidden(),
];
