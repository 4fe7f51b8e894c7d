//! What items were like, among the rows of an answer: what has become a secret since it was recorded is masked in it.
//!
//! `directus_revisions` can be read like any collection, also through relations, and by other names. Whose item an image
//! shows is read beside it, and taken out again.

use loggia_model::plan::{ReadPlan, Related, Selected, Source};
use loggia_model::{Record, Schema};
use serde_json::Value;

use super::seen::mask;

/// Under this name the collection of an item travels; no member of an answer has a dot in its name.
const OWNER: &str = "collection.of.image";

/// Where in the rows of an answer images of items stand.
#[derive(Debug, Default)]
#[must_use = "rows are shown with the veil drawn over them"]
pub(crate) struct Veil {
    /// The members that are images.
    images: Vec<String>,
    /// The members that lead to rows with images. Those of a to-any relation may be of several kinds: one veil is drawn
    /// over all of them, and changes only rows that say whose image they hold.
    below: Vec<(String, Veil)>,
}

impl Veil {
    /// What a plan needs, which then also asks for whose images it reads.
    pub(crate) fn of(plan: &mut ReadPlan) -> Self {
        let mut veil = Self::default();
        for selected in &mut plan.select {
            match &mut selected.source {
                Source::Field(field) if field.is_image() => veil.images.push(selected.alias.clone()),
                Source::Related(Related { plans, .. }) => {
                    let below = plans.iter_mut().map(Self::of).fold(Self::default(), Self::and);
                    if !below.is_empty() {
                        veil.below.push((selected.alias.clone(), below));
                    }
                }
                _ => {}
            }
        }
        let owner = plan.collection.field("collection");
        if let Some(owner) = owner.filter(|_| !veil.images.is_empty()) {
            let owner = Selected::new(OWNER, Source::Field(owner.clone()));
            plan.select.push(owner);
        }
        veil
    }

    fn and(mut self, other: Self) -> Self {
        self.images.extend(other.images);
        self.below.extend(other.below);
        self
    }

    /// Masks what is a secret by now.
    pub(crate) fn draw(&self, schema: &Schema, rows: &mut [Record]) {
        if self.is_empty() {
            return;
        }
        for row in rows {
            self.over(schema, row);
        }
    }

    fn is_empty(&self) -> bool {
        self.images.is_empty() && self.below.is_empty()
    }

    fn over(&self, schema: &Schema, row: &mut Record) {
        if let Some(Value::String(owner)) = row.shift_remove(OWNER) {
            for image in &self.images {
                if let Some(Value::Object(image)) = row.get_mut(image) {
                    mask(schema, &owner, image, &mut Vec::new());
                }
            }
        }
        for (member, veil) in &self.below {
            let rows = match row.get_mut(member) {
                Some(Value::Array(rows)) => rows.as_mut_slice(),
                Some(row) => std::slice::from_mut(row),
                None => continue,
            };
            for row in rows.iter_mut().filter_map(Value::as_object_mut) {
                veil.over(schema, row);
            }
        }
    }
}
