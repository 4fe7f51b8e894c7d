//! `items`: reads and writes the items of any collection of the project.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use loggia_access::Action;
use loggia_model::error::{FORBIDDEN, INVALID_PAYLOAD};
use loggia_model::query::Query;
use loggia_model::{Collection, Problem, Problems, Record};
use serde_json::{Map, Value, json};

use crate::bounds::{FEWEST_TOKENS, MOST_TOKENS};
use crate::catalogue::{Annotations, BoxFuture, CallError, SchemaProfile, ToolResult};
use crate::envelope;
use crate::surface::{ITEM_ACTIONS, Surface, action_names, careful, enumerate};
use crate::tool::{Call, REASON, Tool, companions, peek, text};
use crate::writable::{self, GIVING};

mod naming;
mod reading;
mod writing;

/// The tool.
pub(super) struct Items;

/// Members of a query that say which items, and so cannot stand beside keys in a write.
const SELECTS: [&str; 2] = ["filter", "search"];

/// Members of a query that shape the answer.
const SHAPES: [&str; 4] = ["fields", "deep", "alias", "backlink"];

impl Tool for Items {
    fn name(&self) -> &'static str {
        "items"
    }

    fn description(&self, surface: &Surface) -> Cow<'static, str> {
        let actions = surface.item_actions();
        let (reads, writes) = (actions.contains(&Action::Read), gives(&actions));
        let mut said = match writes || actions.contains(&Action::Delete) {
            true => "Read and write the items of a collection. ",
            false => "Read the items of a collection. ",
        }
        .to_owned();
        said += "Call `schema` with the collection first: unknown names are errors.\n";
        let how = actions.iter().filter_map(|action| match action {
            Action::Create => Some("create: `data`."),
            Action::Read => Some("read: `keys` and/or `query`."),
            Action::Update if reads => Some(
                "update: `keys` + one object in `data`; or `data` with the primary key in each object; or \
                 `query.filter` + one object, for every match.",
            ),
            Action::Update => {
                Some("update: `keys` + one object in `data`; or `data` with the primary key in each object.")
            }
            Action::Delete => Some("delete: `keys`."),
            _ => None,
        });
        said += &how.collect::<Vec<_>>().join(" ");
        if writes {
            said += " Writes may nest related items; they happen whole or not at all, and answer with ";
            said += match reads {
                true => "the stored rows (shaped by `query.fields`) and a receipt.",
                false => "a receipt.",
            };
        }
        said.into()
    }

    fn annotations(&self, surface: &Surface) -> Annotations {
        careful(&surface.item_actions())
    }

    fn offered(&self, surface: &Surface) -> bool {
        !surface.item_actions().is_empty()
    }

    fn input(&self, surface: &Surface) -> Value {
        let actions = surface.item_actions();
        let has = |action: Action| actions.contains(&action);
        let mut properties = json!({
            "action": {"type": "string", "enum": action_names(&actions)},
            "collection": {"type": "string"},
        });
        if has(Action::Read) {
            properties["query"] = json!({"$ref": "#/$defs/query"});
        }
        if actions.iter().any(|action| *action != Action::Create) {
            properties["keys"] = json!({
                "type": "array",
                "description": "Primary keys.",
                "items": {"type": ["string", "integer"]},
            });
        }
        properties["max_tokens"] = json!({
            "type": "integer",
            "minimum": FEWEST_TOKENS,
            "maximum": MOST_TOKENS,
            "description": "How long the result may be.",
        });
        if gives(&actions) {
            let one = match has(Action::Update) {
                true => " An update by keys or query takes exactly one.",
                false => "",
            };
            properties["data"] = json!({
                "description": format!("Items, field by field.{one}"),
                "anyOf": [{"type": "array", "items": {"$ref": "#/$defs/item"}}, {"$ref": "#/$defs/item"}],
            });
        }
        if has(Action::Update) || has(Action::Delete) {
            properties["revs"] = json!({
                "type": "object",
                "description": "By key, the `_rev` (a field of every item) that it must still have.",
                "additionalProperties": {"type": "string"},
            });
        }
        if writes(&actions) {
            properties["reason"] = json!({"type": "string", "description": REASON});
        }
        let mut defs = Map::new();
        if has(Action::Read) {
            defs.insert("query".to_owned(), query_schema());
        }
        if gives(&actions) {
            let item = json!({"type": "object", "additionalProperties": true});
            defs.insert("item".to_owned(), item);
        }
        json!({
            "type": "object",
            "properties": properties,
            "required": ["action", "collection"],
            "additionalProperties": false,
            "$defs": defs,
        })
    }

    fn list_names(&self, surface: &Surface, input: &mut Value, profile: SchemaProfile) {
        // Who makes collections uses them at once, and clients keep lists.
        if surface.schema_rights {
            return;
        }
        let actions = surface.item_actions();
        let reached: BTreeSet<_> = actions.iter().flat_map(|action| surface.reach(*action)).collect();
        let reached: Vec<_> = reached.into_iter().cloned().collect();
        enumerate(input, "/properties/collection", &reached);
        let by = GIVING.map(|action| actions.contains(&action));
        let Some(fields) = writable::properties(&surface.writable, by, profile) else {
            return;
        };
        for place in ["/properties/data/items", "/$defs/item"] {
            if let Some(Value::Object(item)) = input.pointer_mut(place) {
                // Beside the type, where readers look for it.
                item.shift_insert(1, "properties".to_owned(), fields.clone());
            }
        }
    }

    fn output(&self, surface: &Surface) -> Value {
        let actions = surface.item_actions();
        let parts = [
            ("Items", true),
            (
                "groups with their figures for an aggregate",
                actions.contains(&Action::Read),
            ),
            ("deleted ones by primary key", actions.contains(&Action::Delete)),
        ];
        let parts = parts
            .into_iter()
            .filter(|(_, there)| *there)
            .map(|(part, _)| part);
        let row = parts.collect::<Vec<_>>().join("; ") + ".";
        envelope::schema(&row, writes(&actions))
    }

    fn examine(&self, call: &Call<'_>, given: &Map<String, Value>) -> Problems {
        let mut problems = Problems::default();
        let action = peek(given, "action");
        if given.get("collection").is_some_and(Value::is_string) {
            let collection = own_collection(call, peek(given, "collection"));
            let collection = problems.take(collection);
            let listed = call.surface.item_actions();
            let action = listed.into_iter().find(|known| known.name() == action);
            if let (Some(collection), Some(action)) = (collection, action) {
                problems.extend(permitted(call, action, &collection));
            }
        }
        let (needed, unused): (&[_], &[_]) = match action {
            "create" => (&writing::CREATE_NEEDS, &writing::CREATE_IGNORES),
            "update" => (&writing::UPDATE_NEEDS, &[]),
            "delete" => (&writing::DELETE_NEEDS, &writing::DELETE_IGNORES),
            "read" => (&[], &[("data", "Leave it out, or say `create` or `update`.")]),
            _ => (&[], &[]),
        };
        problems.extend(companions(given, action, needed, unused));
        if action == "update" {
            problems.extend(writing::no_keys(given));
        }
        problems.extend(writing::revs_of_keys(given, action));
        problems
    }

    fn foresee(&self, call: &Call<'_>, given: &Map<String, Value>) -> Problems {
        let action = ITEM_ACTIONS
            .into_iter()
            .find(|known| known.name() == peek(given, "action"));
        let collection = own_collection(call, peek(given, "collection"));
        match (action, collection) {
            (Some(action), Ok(collection)) if permitted(call, action, &collection).0.is_empty() => {
                naming::unknown(call, &collection, given)
            }
            _ => Problems::default(),
        }
    }

    fn run<'a>(
        &'a self,
        call: Call<'a>,
        mut arguments: Map<String, Value>,
    ) -> BoxFuture<'a, Result<ToolResult, CallError>> {
        Box::pin(async move {
            let action = text(&mut arguments, "action").unwrap_or_default();
            let name = text(&mut arguments, "collection").unwrap_or_default();
            let collection = own_collection(&call, &name)?;
            match action.as_str() {
                "create" => writing::create(&call, &collection, arguments).await,
                "update" => writing::update(&call, &collection, arguments).await,
                "delete" => writing::delete(&call, &collection, arguments).await,
                _ => reading::read(&call, &collection, arguments).await,
            }
        })
    }
}

/// Whether items are given values.
fn gives(actions: &[Action]) -> bool {
    GIVING.iter().any(|action| actions.contains(action))
}

fn writes(actions: &[Action]) -> bool {
    actions.iter().any(|action| *action != Action::Read)
}

fn query_schema() -> Value {
    let names = json!({"type": "array", "items": {"type": "string"}});
    let with = |description: &str| {
        let mut names = names.clone();
        names["description"] = description.into();
        names
    };
    let functions = [
        "count",
        "countDistinct",
        "countAll",
        "sum",
        "sumDistinct",
        "avg",
        "avgDistinct",
        "min",
        "max",
    ];
    let aggregate: Map<_, _> = functions
        .iter()
        .map(|name| ((*name).to_owned(), names.clone()))
        .collect();
    json!({
        "type": "object",
        "properties": {
            "fields": with("E.g. [\"title\",\"author.name\"]. Default [\"*\"]."),
            "filter": {
                "type": "object",
                "description": "E.g. {\"status\":{\"_eq\":\"draft\"},\"author\":{\"name\":{\"_icontains\":\"a\"}}}; _and, _or.",
                "additionalProperties": true,
            },
            "search": {"type": "string"},
            "sort": with("E.g. [\"-date\"]."),
            "limit": {"type": "integer", "minimum": -1},
            "offset": {"type": "integer", "minimum": 0},
            "page": {"type": "integer", "minimum": 1},
            "aggregate": {
                "type": "object",
                "description": "E.g. {\"count\":[\"*\"]}.",
                "properties": aggregate,
                "additionalProperties": false,
            },
            "groupBy": names,
            "deep": {
                "type": "object",
                "description": "E.g. {\"comments\":{\"_limit\":3}}.",
                "additionalProperties": true,
            },
            "alias": {"type": "object", "additionalProperties": {"type": "string"}},
            "backlink": {"type": "boolean"},
        },
        "additionalProperties": false,
    })
}

/// A collection with items that this tool may touch.
fn own_collection(call: &Call<'_>, name: &str) -> Result<Arc<Collection>, Problem> {
    if loggia_model::system::is_reserved(name) {
        let hint = match name {
            "directus_collections" | "directus_fields" | "directus_relations" => {
                let tool = name.trim_start_matches("directus_");
                format!("Use the tool `{tool}`, if you have it.")
            }
            _ => "They can be reached through relations, e.g. the field `owner.first_name` of an item."
                .to_owned(),
        };
        let message = "The system's own collections are out of reach of this tool.";
        return Err(Problem::new(&INVALID_PAYLOAD, message)
            .at("collection")
            .hint(hint));
    }
    let collection = call.collection(name, "collection")?;
    if collection.table.is_none() {
        let message = format!("`{name}` is a folder for collections: it has no items.");
        return Err(Problem::new(&INVALID_PAYLOAD, message).at("collection"));
    }
    Ok(collection)
}

/// Says where an action is granted, when it is not on this collection, which the caller knows.
fn permitted(call: &Call<'_>, action: Action, collection: &Collection) -> Problems {
    let fallback = match (action, collection.is_singleton()) {
        // The one item of a singleton is made on its first update.
        (Action::Update, true) => Action::Create,
        _ => action,
    };
    if call.grants.may(action, collection) || call.grants.may(fallback, collection) {
        return Problems::default();
    }
    let name = &collection.name;
    if let Some(why) = collection.read_only().filter(|_| action != Action::Read) {
        let message = format!("Nobody can {} items of `{name}`: it {why}.", action.name());
        let hint = "They can be read: filter, sort, aggregate.";
        return Problem::new(&FORBIDDEN, message)
            .at("collection")
            .hint(hint)
            .into();
    }
    let message = format!("You may not {} items of `{name}`.", action.name());
    let others: Vec<&str> = call
        .surface
        .reach(action)
        .iter()
        .take(20)
        .map(|name| &**name)
        .collect();
    let hint = match others.is_empty() {
        true => "`schema` shows what you may do. Tell your user if it is not enough.".to_owned(),
        false => format!("You may in: {}.", others.join(", ")),
    };
    Problem::new(&FORBIDDEN, message)
        .at("collection")
        .hint(hint)
        .into()
}

fn primary(collection: &Collection) -> &str {
    collection
        .primary
        .as_ref()
        .map_or("id", |field| field.name.as_str())
}

fn selects(query: &Record) -> bool {
    SELECTS.iter().any(|name| query.contains_key(*name))
}

fn parsed(query: &Record) -> Result<Query, Problems> {
    Query::from_json(&Value::Object(query.clone())).map_err(|problems| problems.within("query"))
}

/// What is said of keys, or of several objects, where there is one item.
fn singleton_problem(path: &str) -> Problem {
    Problem::new(
        &INVALID_PAYLOAD,
        "The collection holds a single item: there is nothing to choose.",
    )
    .at(path)
    .hint("Leave `keys` out; give one object in `data` to change it.")
}
