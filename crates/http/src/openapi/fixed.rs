//! The addresses that every project has.
//!
//! To add one: its row in [`FIXED`].

use loggia_access::{Action, Grants, may_change_schema};
use loggia_model::{Record, Schema};
use serde_json::{Map, Value, json};

use super::parts::{answer, body, no_content};

/// What an operation answers.
#[derive(Clone, Copy)]
enum Answers {
    Object,
    List,
    Text,
    Nothing,
}
use Answers::{List, Nothing, Object, Text};

/// Whom an operation is for; to others it is not named.
#[derive(Clone, Copy)]
enum Audience {
    Everybody,
    /// Whoever signed in: it is about themselves.
    SignedIn,
    /// Whoever may change something of their own user.
    Themselves,
    /// Whoever may know of a collection.
    Readers,
    Administrators,
}
use Audience::{Administrators, Everybody, Readers, SignedIn, Themselves};

/// One operation.
struct Fixed {
    address: &'static str,
    method: &'static str,
    id: &'static str,
    summary: &'static str,
    answers: Answers,
    audience: Audience,
    takes_body: bool,
}

impl Fixed {
    const fn new(
        method: &'static str,
        address: &'static str,
        id: &'static str,
        summary: &'static str,
        answers: Answers,
        audience: Audience,
    ) -> Self {
        Self {
            address,
            method,
            id,
            summary,
            answers,
            audience,
            takes_body: false,
        }
    }
    const fn get(
        address: &'static str,
        id: &'static str,
        summary: &'static str,
        answers: Answers,
        audience: Audience,
    ) -> Self {
        Self::new("get", address, id, summary, answers, audience)
    }

    const fn post(
        address: &'static str,
        id: &'static str,
        summary: &'static str,
        answers: Answers,
        audience: Audience,
    ) -> Self {
        Self::new("post", address, id, summary, answers, audience)
    }

    const fn patch(
        address: &'static str,
        id: &'static str,
        summary: &'static str,
        answers: Answers,
        audience: Audience,
    ) -> Self {
        Self::new("patch", address, id, summary, answers, audience)
    }

    const fn delete(
        address: &'static str,
        id: &'static str,
        summary: &'static str,
        answers: Answers,
        audience: Audience,
    ) -> Self {
        Self::new("delete", address, id, summary, answers, audience)
    }

    const fn with_body(mut self) -> Self {
        self.takes_body = true;
        self
    }
}

const FIXED: &[Fixed] = &[
    Fixed::get("/server/ping", "ping", "Is it there?", Text, Everybody),
    Fixed::get(
        "/server/info",
        "server_info",
        "What server this is",
        Object,
        Everybody,
    ),
    Fixed::get("/server/health", "health", "Is it well?", Object, SignedIn),
    Fixed::get("/server/specs/oas", "openapi", "This document", Object, Everybody),
    Fixed::get("/auth", "list_providers", "The ways to sign in", List, Everybody),
    Fixed::post(
        "/auth/login",
        "login",
        "Sign in with e-mail and password",
        Object,
        Everybody,
    )
    .with_body(),
    Fixed::post(
        "/auth/refresh",
        "refresh",
        "Exchange a refresh token",
        Object,
        Everybody,
    )
    .with_body(),
    Fixed::post("/auth/logout", "logout", "End a session", Nothing, Everybody).with_body(),
    Fixed::post(
        "/users/me/tfa/generate",
        "make_second_factor",
        "Make a secret for an authenticator app",
        Object,
        SignedIn,
    )
    .with_body(),
    Fixed::post(
        "/users/me/tfa/enable",
        "set_up_second_factor",
        "Confirm that secret",
        Nothing,
        SignedIn,
    )
    .with_body(),
    Fixed::post(
        "/users/me/tfa/disable",
        "remove_second_factor",
        "Take one's second factor away",
        Nothing,
        SignedIn,
    )
    .with_body(),
    Fixed::post(
        "/users/{id}/tfa/disable",
        "remove_second_factor_of",
        "Take a user's second factor away",
        Nothing,
        Administrators,
    ),
    Fixed::get("/tokens", "list_tokens", "Access tokens", List, SignedIn),
    Fixed::post(
        "/tokens",
        "create_token",
        "Make an access token; its secret is in this answer alone",
        Object,
        SignedIn,
    )
    .with_body(),
    Fixed::get("/tokens/{id}", "read_token", "One access token", Object, SignedIn),
    Fixed::patch(
        "/tokens/{id}",
        "update_token",
        "Change what an access token may do",
        Object,
        SignedIn,
    )
    .with_body(),
    Fixed::delete(
        "/tokens/{id}",
        "revoke_token",
        "End an access token",
        Nothing,
        SignedIn,
    ),
    Fixed::post(
        "/tokens/{id}/rotate",
        "rotate_token",
        "Give an access token another secret",
        Object,
        SignedIn,
    )
    .with_body(),
    Fixed::post(
        "/auth/password/request",
        "request_password",
        "Ask for a new password",
        Nothing,
        Everybody,
    )
    .with_body(),
    Fixed::post(
        "/auth/password/reset",
        "reset_password",
        "Choose a new password with the token of a link",
        Nothing,
        Everybody,
    )
    .with_body(),
    Fixed::get("/users/me", "read_me", "Read the caller", Object, SignedIn),
    Fixed::patch("/users/me", "update_me", "Change the caller", Object, Themselves).with_body(),
    Fixed::get(
        "/roles/me",
        "read_my_roles",
        "Read the caller's roles",
        List,
        SignedIn,
    ),
    Fixed::get(
        "/policies/me/globals",
        "read_my_globals",
        "What the caller's policies allow in general",
        Object,
        Everybody,
    ),
    Fixed::get(
        "/permissions/me",
        "read_my_permissions",
        "What the caller may do",
        Object,
        SignedIn,
    ),
    Fixed::get(
        "/collections",
        "list_collections",
        "List collections",
        List,
        Readers,
    ),
    Fixed::post(
        "/collections",
        "create_collections",
        "Create a collection, or many",
        Object,
        Administrators,
    )
    .with_body(),
    Fixed::patch(
        "/collections",
        "update_collections",
        "Change many collections",
        List,
        Administrators,
    )
    .with_body(),
    Fixed::get(
        "/collections/{collection}",
        "read_collection",
        "Read a collection",
        Object,
        Readers,
    ),
    Fixed::patch(
        "/collections/{collection}",
        "update_collection",
        "Change a collection",
        Object,
        Administrators,
    )
    .with_body(),
    Fixed::delete(
        "/collections/{collection}",
        "delete_collection",
        "Delete a collection and its items",
        Nothing,
        Administrators,
    ),
    Fixed::get(
        "/fields",
        "list_fields",
        "List the fields of all collections",
        List,
        Readers,
    ),
    Fixed::get(
        "/fields/{collection}",
        "list_fields_of",
        "List the fields of a collection",
        List,
        Readers,
    ),
    Fixed::post(
        "/fields/{collection}",
        "create_field",
        "Create a field",
        Object,
        Administrators,
    )
    .with_body(),
    Fixed::patch(
        "/fields/{collection}",
        "update_fields",
        "Change many fields",
        List,
        Administrators,
    )
    .with_body(),
    Fixed::get(
        "/fields/{collection}/{field}",
        "read_field",
        "Read a field",
        Object,
        Readers,
    ),
    Fixed::patch(
        "/fields/{collection}/{field}",
        "update_field",
        "Change a field",
        Object,
        Administrators,
    )
    .with_body(),
    Fixed::delete(
        "/fields/{collection}/{field}",
        "delete_field",
        "Delete a field and its values",
        Nothing,
        Administrators,
    ),
    Fixed::get("/relations", "list_relations", "List relations", List, Readers),
    Fixed::post(
        "/relations",
        "create_relation",
        "Create a relation",
        Object,
        Administrators,
    )
    .with_body(),
    Fixed::get(
        "/relations/{collection}",
        "list_relations_of",
        "List the relations of a collection",
        List,
        Readers,
    ),
    Fixed::get(
        "/relations/{collection}/{field}",
        "read_relation",
        "Read a relation",
        Object,
        Readers,
    ),
    Fixed::patch(
        "/relations/{collection}/{field}",
        "update_relation",
        "Change a relation",
        Object,
        Administrators,
    )
    .with_body(),
    Fixed::delete(
        "/relations/{collection}/{field}",
        "delete_relation",
        "Delete a relation",
        Nothing,
        Administrators,
    ),
    Fixed::get(
        "/changes",
        "list_changes",
        "Who changed what, the last first",
        List,
        SignedIn,
    ),
    Fixed::get(
        "/changes/{id}",
        "read_change",
        "One change: every item before and after",
        Object,
        SignedIn,
    ),
    Fixed::post(
        "/changes/{id}/revert",
        "revert_change",
        "Take a change back",
        Object,
        SignedIn,
    )
    .with_body(),
    Fixed::post(
        "/changes/revert",
        "revert_changes",
        "Take many changes back at once",
        Object,
        SignedIn,
    )
    .with_body(),
    Fixed::get(
        "/schema/snapshot",
        "schema_snapshot",
        "The whole data model",
        Object,
        Administrators,
    ),
];

impl Audience {
    fn has(self, schema: &Schema, grants: &Grants) -> bool {
        let caller = grants.caller();
        match self {
            Everybody => true,
            SignedIn => !caller.is_public(),
            Themselves => {
                let users = schema.collection("directus_users");
                !caller.is_public() && users.is_some_and(|users| grants.may(Action::Update, users))
            }
            Readers => schema
                .collections
                .values()
                .any(|collection| grants.sees(collection)),
            Administrators => may_change_schema(caller),
        }
    }
}

/// [`FIXED`] as OpenAPI, as far as it is for this caller.
pub(super) fn paths(schema: &Schema, grants: &Grants) -> Record {
    let object = json!({"type": "object"});
    let mut paths = Map::new();
    for fixed in FIXED.iter().filter(|fixed| fixed.audience.has(schema, grants)) {
        let responses = match fixed.answers {
            Object => answer(object.clone()),
            List => answer(json!({"type": "array", "items": object})),
            Text => {
                json!({"200": {"description": "`pong`", "content": {"text/plain": {"schema": {"type": "string"}}}}})
            }
            Nothing => no_content(),
        };
        let mut operation = json!({"operationId": fixed.id, "summary": fixed.summary, "tags": ["system"], "responses": responses});
        if fixed.takes_body {
            operation["requestBody"] = body(&json!({"anyOf": [object, {"type": "array", "items": object}]}));
        }
        let names = fixed
            .address
            .split('/')
            .filter_map(|step| step.strip_prefix('{')?.strip_suffix('}'));
        let parameters: Vec<Value> = names
            .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
            .collect();
        let path = paths.entry(fixed.address).or_insert_with(|| json!({}));
        if !parameters.is_empty() {
            path["parameters"] = parameters.into();
        }
        path[fixed.method] = operation;
    }
    paths
}
