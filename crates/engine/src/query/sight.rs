//! What a query may name: the one place that says what of the schema is there for a caller.

use std::sync::Arc;

use loggia_access::Action;
use loggia_model::plan::{Selected, Source};
use loggia_model::{Collection, Field, Link, Relation};

use super::Resolver;

/// What may be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// What the caller may read.
    Granted,
    /// Everything: for the system's own questions, such as those of permissions.
    Everything,
}

impl<'a> Resolver<'a> {
    /// Whether the caller may do this with some item of a collection that has items.
    pub(crate) fn may(&self, action: Action, collection: &Collection) -> bool {
        collection.table.is_some() && (self.sight == Sight::Everything || self.grants.may(action, collection))
    }

    /// Whether the caller may read a field on some item.
    pub(crate) fn reads(&self, collection: &Collection, field: &Field) -> bool {
        self.sight == Sight::Everything || self.grants.may_touch(Action::Read, collection, field)
    }

    /// The tag of an item, made of what the caller sees of it.
    pub(crate) fn tag(&self, collection: &Collection) -> Source {
        let fields = collection.fields.values();
        let fields = fields.filter(|field| !field.is_alias() && self.reads(collection, field));
        Source::Tag(
            fields
                .map(|field| Selected::new(field.name.as_str(), Source::Field(field.clone())))
                .collect(),
        )
    }

    /// A field that is there for the caller: they may read it, and follow it if it is a list.
    pub(crate) fn known<'c>(&self, collection: &'c Collection, name: &str) -> Option<&'c Arc<Field>> {
        let field = collection.field(name)?;
        self.is_known(collection, field).then_some(field)
    }

    /// As [`Resolver::known`], of a field that is at hand.
    pub(crate) fn is_known(&self, collection: &Collection, field: &Field) -> bool {
        self.reads(collection, field)
            && (!field.is_alias()
                || self.sight == Sight::Everything
                || self.schema.link(&field.collection, &field.name).is_none()
                || self.link(field).is_some())
    }

    /// What a field that may be read leads to, unless it may not be followed.
    pub(crate) fn link(&self, field: &Field) -> Option<Link> {
        let link = self.schema.link(&field.collection, &field.name)?;
        let here = self.schema.collection(&field.collection)?;
        match link {
            Link::ToAny { relation, targets } => {
                let targets: Vec<_> = targets
                    .into_iter()
                    .filter(|target| self.forward(&relation, here, target))
                    .collect();
                let hidden = self.sight == Sight::Granted && targets.is_empty();
                (!hidden).then_some(Link::ToAny { relation, targets })
            }
            Link::ToOne { relation, target } => self
                .forward(&relation, here, &target)
                .then_some(Link::ToOne { relation, target }),
            Link::ToMany { relation, target } => self
                .backward(&relation, here, &target)
                .then_some(Link::ToMany { relation, target }),
        }
    }

    /// Whether a relation may be followed from the item that points.
    fn forward(&self, relation: &Relation, many: &Collection, one: &Collection) -> bool {
        self.may(Action::Read, one) && self.points(relation, many) && self.pointed_to(relation, one)
    }

    /// Whether a relation may be followed to the items that point.
    pub(super) fn backward(&self, relation: &Relation, one: &Collection, many: &Collection) -> bool {
        let listed = relation.one_field.as_deref();
        let listed = listed.filter(|_| relation.one_collection.as_deref() == Some(one.name.as_str()));
        self.may(Action::Read, many)
            && self.points(relation, many)
            && self.pointed_to(relation, one)
            && listed.is_none_or(|list| self.reads_named(one, list))
    }

    /// The column that points, and the one that says into which collection.
    fn points(&self, relation: &Relation, many: &Collection) -> bool {
        let beside = relation.one_collection_field.as_deref();
        self.reads_named(many, &relation.many_field)
            && beside.is_none_or(|beside| self.reads_named(many, beside))
    }

    /// The column pointed to; nearly always the primary key.
    fn pointed_to(&self, relation: &Relation, one: &Collection) -> bool {
        let key = relation.foreign_key.as_ref();
        key.is_none_or(|key| self.reads_named(one, &key.foreign_column))
    }

    fn reads_named(&self, collection: &Collection, name: &str) -> bool {
        collection
            .field(name)
            .is_none_or(|field| self.reads(collection, field))
    }
}
