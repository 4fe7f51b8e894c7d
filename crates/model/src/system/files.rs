//! `directus_files`: what is known of a file beyond its bytes.

use super::{SystemCollection, SystemField as F, SystemRelation as R};
use crate::schema::Action;

/// The definition.
pub(super) static COLLECTION: SystemCollection = SystemCollection {
    icon: Some("folder"),
    display_template: Some("{{ $thumbnail }} {{ title }}"),
    fields: FIELDS,
    relations: &[
        R::new("folder", "directus_folders").on_delete(Action::SetNull),
        R::new("uploaded_by", "directus_users").on_delete(Action::SetNull),
        R::new("modified_by", "directus_users").on_delete(Action::SetNull),
    ],
    ..SystemCollection::new(
        "directus_files",
        "Files: where their bytes are, and what is known of them",
    )
};

const FIELDS: &[F] = &[
    F::key("id"),
    F::string("storage", 255).not_null().readonly(),
    F::string("filename_disk", 255).readonly(),
    F::string("filename_download", 255).not_null(),
    F::string("title", 255),
    F::string("type", 255).readonly().display("mime-type"),
    F::reference("folder").readonly(),
    F::reference("uploaded_by")
        .special(&["user-created"])
        .display("user")
        .hidden(),
    F::timestamp("created_on")
        .not_null()
        .default_now()
        .special(&["date-created"])
        .readonly(),
    F::reference("modified_by")
        .special(&["user-updated"])
        .display("user")
        .readonly(),
    F::timestamp("modified_on")
        .not_null()
        .default_now()
        .special(&["date-created", "date-updated"])
        .readonly(),
    F::string("charset", 50).readonly(),
    F::big_integer("filesize").readonly().display("filesize"),
    F::integer("width").readonly(),
    F::integer("height").readonly(),
    F::integer("duration").readonly(),
    F::string("embed", 200).hidden(),
    F::text("description"),
    F::text("location").interface("input"),
    F::json("tags").interface("tags").display("labels"),
    F::json("metadata").hidden(),
    F::integer("focal_point_x"),
    F::integer("focal_point_y"),
    F::string("tus_id", 64).hidden(),
    F::json("tus_data").hidden(),
    F::timestamp("uploaded_on").hidden(),
];
