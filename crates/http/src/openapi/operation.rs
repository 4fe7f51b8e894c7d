//! What the document says of an operation. It stands beside the handler, where routes are made, so that there is no
//! route without it.

use loggia_access::{Action, Grants, may_change_schema};
use loggia_model::{Record, Schema};
use serde_json::{Value, json};

use super::parts;

/// What an operation answers.
#[derive(Clone, Copy, Debug)]
enum Answers {
    Object,
    List,
    Text,
    Nothing,
}

/// What an operation takes.
#[derive(Clone, Copy, Debug)]
enum Takes {
    Nothing,
    Object,
    /// An object, or no body.
    Optional,
    List,
    OneOrMany,
}

/// Whom an operation is for; to others it is not named.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Audience {
    Everybody,
    /// Whoever signed in: it is about themselves.
    SignedIn,
    /// Whoever may change something of their own user.
    Themselves,
    /// Whoever may know of a collection.
    Readers,
    Administrators,
}

/// One operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    id: &'static str,
    summary: &'static str,
    audience: Audience,
    answers: Answers,
    takes: Takes,
    /// Whether it makes a change that is recorded.
    changes: bool,
    /// Whether what was done meanwhile can stand against it.
    conflicts: bool,
    /// The names of query parameters, from tables of handlers.
    query: &'static [&'static [&'static str]],
}

/// How an operation is documented.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Documented {
    By(Operation),
    /// For each collection that it works on, in the words of that collection.
    PerCollection,
    /// It is a protocol of its own.
    Elsewhere,
}

impl From<Operation> for Documented {
    fn from(operation: Operation) -> Self {
        Self::By(operation)
    }
}

impl Operation {
    const fn new(id: &'static str, summary: &'static str, answers: Answers, audience: Audience) -> Self {
        Self {
            id,
            summary,
            audience,
            answers,
            takes: Takes::Nothing,
            changes: false,
            conflicts: false,
            query: &[],
        }
    }

    /// Answers with an object.
    pub(crate) const fn object(id: &'static str, summary: &'static str, audience: Audience) -> Self {
        Self::new(id, summary, Answers::Object, audience)
    }

    /// Answers with a list of objects.
    pub(crate) const fn list(id: &'static str, summary: &'static str, audience: Audience) -> Self {
        Self::new(id, summary, Answers::List, audience)
    }

    /// Answers with plain text.
    pub(crate) const fn text(id: &'static str, summary: &'static str, audience: Audience) -> Self {
        Self::new(id, summary, Answers::Text, audience)
    }

    /// Answers that it is done.
    pub(crate) const fn nothing(id: &'static str, summary: &'static str, audience: Audience) -> Self {
        Self::new(id, summary, Answers::Nothing, audience)
    }

    /// An object must be sent.
    pub(crate) const fn takes_object(mut self) -> Self {
        self.takes = Takes::Object;
        self
    }

    /// An object may be sent.
    pub(crate) const fn may_take_object(mut self) -> Self {
        self.takes = Takes::Optional;
        self
    }

    /// A list of objects must be sent.
    pub(crate) const fn takes_list(mut self) -> Self {
        self.takes = Takes::List;
        self
    }

    /// An object or a list of objects must be sent.
    pub(crate) const fn takes_one_or_many(mut self) -> Self {
        self.takes = Takes::OneOrMany;
        self
    }

    /// Makes a change that is recorded.
    pub(crate) const fn changes(mut self) -> Self {
        self.changes = true;
        self
    }

    /// What was done meanwhile can stand against it.
    pub(crate) const fn conflicts(mut self) -> Self {
        self.conflicts = true;
        self
    }

    /// Takes these query parameters.
    pub(crate) const fn query(mut self, names: &'static [&'static [&'static str]]) -> Self {
        self.query = names;
        self
    }

    /// Whether a caller gets to see it.
    pub(super) fn is_for(&self, schema: &Schema, grants: &Grants) -> bool {
        let caller = grants.caller();
        match self.audience {
            Audience::Everybody => true,
            Audience::SignedIn => !caller.is_public(),
            Audience::Themselves => {
                let users = schema.collection("directus_users");
                !caller.is_public() && users.is_some_and(|users| grants.may(Action::Update, users))
            }
            Audience::Readers => {
                let mut collections = schema.collections.values();
                collections.any(|collection| grants.sees(collection))
            }
            Audience::Administrators => may_change_schema(caller),
        }
    }

    /// As OpenAPI.
    pub(super) fn to_json(self) -> Value {
        let mut responses = match self.answers {
            Answers::Object => parts::answered(self.changes, "200", "Object"),
            Answers::List => parts::answered(self.changes, "200", "List"),
            Answers::Text => parts::answered(false, "200", "Text"),
            Answers::Nothing => parts::answered(self.changes, "204", "Nothing"),
        };
        if self.conflicts {
            parts::add_conflict(&mut responses);
        }
        let mut operation = Record::from_iter([
            ("operationId".to_owned(), self.id.into()),
            ("summary".to_owned(), self.summary.into()),
            ("tags".to_owned(), json!(["system"])),
        ]);
        let text = |name: &&str| json!({"name": name, "in": "query", "schema": {"type": "string"}});
        let mut parameters: Vec<_> = self.query.iter().copied().flatten().map(text).collect();
        parameters.extend(
            self.changes
                .then(|| parts::reference("parameters", parts::CHANGE_TITLE)),
        );
        if !parameters.is_empty() {
            operation.insert("parameters".to_owned(), parameters.into());
        }
        let object = || parts::reference("schemas", "Object");
        let body = match self.takes {
            Takes::Nothing => None,
            Takes::Object => Some((object(), true)),
            Takes::Optional => Some((object(), false)),
            Takes::List => Some((parts::reference("schemas", "Objects"), true)),
            Takes::OneOrMany => {
                let both = [object(), parts::reference("schemas", "Objects")];
                Some((json!({"anyOf": both}), true))
            }
        };
        if let Some((schema, required)) = body {
            let mut body = parts::body(&schema);
            body["required"] = required.into();
            operation.insert("requestBody".to_owned(), body);
        }
        operation.insert("responses".to_owned(), responses);
        operation.into()
    }
}
