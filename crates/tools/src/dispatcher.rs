//! The catalogue over an engine: finds the tool, checks the arguments, calls it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use loggia_access::{Attribution, Grants, TokenMode};
use loggia_engine::{Engine, Settings};
use loggia_model::error::{self, nearest};
use loggia_model::{Problems, Schema};
use serde_json::{Map, Value};

use crate::arguments::Arguments;
use crate::bounds::Bounds;
use crate::catalogue::{
    BoxFuture, CallContext, CallError, Catalogue, SchemaProfile, ToolDescription, ToolError, ToolListing,
    ToolResult,
};
use crate::plain_text::plain;
use crate::surface::{Surface, Switches};
use crate::tool::{Call, Tool};
use crate::tools::TOOLS;
use crate::{lint, schemas};

/// Snapshots that are kept. A snapshot depends on few facts, so more are not in use at one time.
const SNAPSHOTS: usize = 64;

/// Characters of what a caller says a call is for, at most.
const REASON: usize = 200;

/// The tools over one engine.
pub struct Tools {
    engine: Engine,
    /// Newest first. Read without a lock, replaced whole.
    snapshots: ArcSwap<Vec<(Key, Arc<Snapshot>)>>,
    workshop: Workshop,
}

/// Tools as they were made for some surface, by what they are made of. The names of collections are not part of it, so
/// there are few, however many kinds of callers there are.
#[derive(Default)]
struct Workshop(Mutex<HashMap<Made, Option<Arc<Compiled>>>>);

/// The tool, the profile, the description, and the arguments and results as they are written.
type Made = (&'static str, SchemaProfile, String, String);

/// A tool that clients will take.
struct Compiled {
    /// As it is listed, without the names of collections.
    description: ToolDescription,
    arguments: Arguments,
}

/// Everything that a listing depends on, in the order in which it tells most.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    /// [`Grants::outline`].
    rights: u64,
    schema_version: u64,
    schema_rights: bool,
    switches: Switches,
    profile: SchemaProfile,
    /// One for each of [`TOOLS`]: whether it is wanted.
    wanted: Vec<bool>,
}

/// The tools as one kind of caller sees them.
struct Snapshot {
    surface: Surface,
    listing: Arc<ToolListing>,
    tools: Vec<Prepared>,
    /// See [`Call::hash`].
    hash: OnceLock<String>,
}

struct Prepared {
    tool: &'static dyn Tool,
    compiled: Arc<Compiled>,
}

impl Tools {
    /// The tools over `engine`.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            snapshots: ArcSwap::default(),
            workshop: Workshop::default(),
        }
    }

    fn snapshot(&self, context: &CallContext, settings: &Settings) -> (Grants, Arc<Snapshot>) {
        // In this order: a list must not be kept for a schema that is newer than the rights that it was made of.
        let schema = self.engine.schema();
        let grants = self.engine.outline(&context.caller);
        let narrowing = &context.narrowing;
        let wanted = |tool: &&dyn Tool| match &narrowing.toolsets {
            Some(sets) => sets.iter().any(|set| set == tool.name()),
            None => true,
        };
        let key = Key {
            rights: grants.outline(),
            schema_version: schema.version,
            schema_rights: loggia_access::may_change_schema(&context.caller),
            switches: switches(context, settings),
            profile: narrowing.schemas,
            wanted: TOOLS.iter().map(wanted).collect(),
        };
        let known = self.snapshots.load();
        if let Some((_, snapshot)) = known.iter().find(|(made_for, _)| *made_for == key) {
            return (grants, snapshot.clone());
        }
        let snapshot = Arc::new(Snapshot::make(&key, &grants, &schema, &self.workshop));
        self.snapshots.rcu(|known| {
            let older = known
                .iter()
                .filter(|(made_for, _)| *made_for != key)
                .take(SNAPSHOTS - 1);
            let newest = (key.clone(), snapshot.clone());
            std::iter::once(newest).chain(older.cloned()).collect::<Vec<_>>()
        });
        (grants, snapshot)
    }

    async fn run(
        &self,
        context: &CallContext,
        name: &str,
        given: Map<String, Value>,
    ) -> Result<ToolResult, CallError> {
        let settings = self.engine.settings();
        let (grants, snapshot) = self.snapshot(context, &settings);
        let surface = &snapshot.surface;
        let prepared = snapshot
            .tools
            .iter()
            .find(|prepared| prepared.tool.name() == name);
        let Some(Prepared { tool, compiled }) = prepared else {
            let names = snapshot.tools.iter().map(|prepared| prepared.tool.name());
            let nearest = nearest(name, names).map(str::to_owned);
            return Err(CallError::UnknownTool { nearest });
        };
        let action = given.get("action").and_then(Value::as_str).unwrap_or_default();
        if !action.is_empty() && !compiled.arguments.lets(action) {
            switched_off(surface, *tool, action)?;
        }
        let (mut given, mut problems) = compiled.arguments.check(given);
        let bounds = Bounds {
            rows: settings.mcp_max_rows(),
            tokens: usize::try_from(settings.mcp_max_tokens()).unwrap_or(usize::MAX),
        };
        let asked = given.get("max_tokens").and_then(Value::as_u64);
        let reason = given.shift_remove("reason");
        let caller = context
            .caller
            .attributed(attribution(context, *tool, reason.as_ref()));
        let call = Call {
            engine: &self.engine,
            caller: &caller,
            grants: &grants,
            context,
            surface,
            bounds: bounds.asked(asked.or(context.narrowing.max_tokens.map(u64::from))),
            hash: &snapshot.hash,
        };
        // What has a wrong shape is not said to be missing as well.
        add(&mut problems, tool.examine(&call, &given));
        if !problems.0.is_empty() {
            add(&mut problems, tool.foresee(&call, &given));
        }
        let given = problems.or(given)?;
        let mut result = tool.run(call, given).await?;
        if let Some(change) = caller.attribution().change.get() {
            if let Some(Value::Object(receipt)) = result.structured.get_mut("receipt") {
                receipt.insert("change".to_owned(), change.as_str().into());
            }
            // Who answers the request names the change as well; of a batch, the first one.
            let _ = context.caller.attribution().change.set(change.clone());
        }
        Ok(result)
    }
}

/// Adds problems at places of which nothing is said yet.
fn add(problems: &mut Problems, more: Problems) {
    for problem in more.0 {
        if !problems.0.iter().any(|known| known.path == problem.path) {
            problems.push(problem);
        }
    }
}

/// What is switched on for a connection.
fn switches(context: &CallContext, settings: &Settings) -> Switches {
    let token = context.caller.claims().token.as_ref();
    Switches {
        address_writes: !context.narrowing.read_only,
        token_writes: token.is_none_or(|token| token.mode == TokenMode::Direct),
        deletes: settings.mcp_allow_deletes(),
        guidance: settings.mcp_system_prompt_enabled(),
    }
}

/// What is recorded of a call, with what it changes.
fn attribution(context: &CallContext, tool: &dyn Tool, reason: Option<&Value>) -> Attribution {
    let client = context.client.as_ref();
    let said = |text: &str, room| Some(plain(text, room)).filter(|text| !text.is_empty());
    Attribution {
        request_id: Some(context.request_id.to_string()),
        client_name: client.and_then(|client| said(&client.name, 120)),
        client_version: client.and_then(|client| said(&client.version, 60)),
        tool: Some(tool.name().to_owned()),
        title: reason
            .and_then(Value::as_str)
            .and_then(|reason| said(reason, REASON))
            .or_else(|| context.caller.attribution().title.clone()),
        change: Arc::default(),
        commit: context.caller.attribution().commit.clone(),
        people: context.caller.attribution().people,
    }
}

/// Says why an action that the tool would have is missing here, instead of listing those that are left.
fn switched_off(surface: &Surface, tool: &dyn Tool, action: &str) -> Result<(), ToolError> {
    let switches = surface.switches;
    let with = |switches| Surface {
        switches,
        ..surface.clone()
    };
    let on = Switches {
        address_writes: true,
        token_writes: true,
        deletes: true,
        ..switches
    };
    let input = tool.input(&with(on));
    let actions = input.pointer("/properties/action/enum").and_then(Value::as_array);
    if !actions.is_some_and(|actions| actions.iter().any(|known| known == action)) {
        return Ok(());
    }
    let refused =
        |code, message: &str, hint: &str| Err(ToolError::new(code, message).at("action").hint(hint));
    if !switches.address_writes {
        let hint = "It was opened with `read_only=true` in its URL; nothing can be changed through it.";
        return refused(&error::FORBIDDEN, "This connection only reads.", hint);
    }
    if !switches.token_writes {
        let hint = "Tell your user what you would change; a person has to do it.";
        return refused(
            &error::FORBIDDEN,
            "This token only proposes: it changes nothing.",
            hint,
        );
    }
    let hint = "An administrator can allow deletes in the settings (`mcp_allow_deletes`). Consider archiving instead.";
    let message = "Deleting through assistants is switched off.";
    refused(&error::DELETES_DISABLED, message, hint)
}

impl Snapshot {
    fn make(key: &Key, grants: &Grants, schema: &Schema, workshop: &Workshop) -> Self {
        let surface = Surface::of(grants, schema, key.schema_rights, key.switches);
        let wanted = TOOLS.iter().zip(&key.wanted);
        let wanted = wanted.filter(|(_, wanted)| **wanted).map(|(tool, _)| *tool);
        let (mut descriptions, mut tools) = (Vec::new(), Vec::new());
        for tool in wanted.filter(|tool| tool.offered(&surface)) {
            if let Some(compiled) = workshop.compiled(tool, &surface, key.profile) {
                descriptions.push(narrowed(&compiled.description, tool, &surface, key.profile));
                tools.push(Prepared { tool, compiled });
            }
        }
        Self {
            surface,
            listing: Arc::new(ToolListing::new(descriptions)),
            tools,
            hash: OnceLock::new(),
        }
    }
}

impl Workshop {
    /// The tool as this surface needs it; `None`: clients would refuse it.
    fn compiled(
        &self,
        tool: &'static dyn Tool,
        surface: &Surface,
        profile: SchemaProfile,
    ) -> Option<Arc<Compiled>> {
        let (description, input) = (tool.description(surface), tool.input(surface));
        let shapes = format!("{input}{}", tool.output(surface));
        let made = (tool.name(), profile, description.into_owned(), shapes);
        let known = |made| {
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get(made)
                .cloned()
        };
        if let Some(compiled) = known(&made) {
            return compiled;
        }
        let compiled = compile(tool, surface, profile).map(Arc::new);
        let compiled = compiled.map_err(|findings| {
            tracing::error!(
                tool = tool.name(),
                ?findings,
                "a tool is left out: clients would refuse its schema"
            );
        });
        let compiled = compiled.ok();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(made, compiled.clone());
        compiled
    }
}

/// The tool in that profile, or what clients would refuse in it.
fn compile(tool: &dyn Tool, surface: &Surface, profile: SchemaProfile) -> Result<Compiled, Vec<String>> {
    let input = tool.input(surface);
    let description = ToolDescription {
        name: tool.name().to_owned(),
        title: tool.title(),
        description: tool.description(surface).into_owned(),
        input_schema: Arc::new(schemas::compile(&input, profile)),
        output_schema: Some(Arc::new(schemas::compile(&tool.output(surface), profile))),
        annotations: tool.annotations(surface),
    };
    let mut findings = lint::tool(&description, profile);
    match Arguments::compile(&input) {
        Ok(arguments) if findings.is_empty() => Ok(Compiled {
            description,
            arguments,
        }),
        Ok(_) => Err(findings),
        Err(error) => {
            findings.push(error);
            Err(findings)
        }
    }
}

/// The tool as this caller sees it, with names that they may use. Nothing that a client takes becomes one that it
/// refuses by that.
fn narrowed(
    description: &ToolDescription,
    tool: &dyn Tool,
    surface: &Surface,
    profile: SchemaProfile,
) -> ToolDescription {
    let mut description = description.clone();
    tool.list_names(surface, Arc::make_mut(&mut description.input_schema), profile);
    description
}

impl Catalogue for Tools {
    fn list(&self, context: &CallContext) -> Arc<ToolListing> {
        let settings = self.engine.settings();
        self.snapshot(context, &settings).1.listing.clone()
    }

    fn call<'a>(
        &'a self,
        context: &'a CallContext,
        name: &'a str,
        arguments: Map<String, Value>,
    ) -> BoxFuture<'a, Result<ToolResult, CallError>> {
        Box::pin(self.run(context, name, arguments))
    }

    fn instructions(&self, _context: &CallContext) -> Option<Arc<str>> {
        let guided = self.engine.settings().mcp_system_prompt_enabled();
        guided
            .then(|| "Call `system-prompt` once before anything else: it says how this server works.".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::writable::tests::sample;

    fn names(names: &[&str]) -> Vec<Arc<str>> {
        names.iter().map(|name| Arc::from(*name)).collect()
    }

    /// The tool as it is listed.
    fn listed(tool: &dyn Tool, surface: &Surface, profile: SchemaProfile) -> ToolDescription {
        match compile(tool, surface, profile) {
            Ok(compiled) => narrowed(&compiled.description, tool, surface, profile),
            Err(findings) => panic!("{} {profile:?}: {findings:#?}", tool.name()),
        }
    }

    /// Everything switched on, for somebody who reaches these collections.
    fn surface(schema_rights: bool, reach: [&[&str]; 4]) -> Surface {
        Surface {
            schema_rights,
            switches: Switches {
                address_writes: true,
                token_writes: true,
                deletes: true,
                guidance: true,
            },
            known: names(&reach.concat()),
            reach: reach.map(names),
            writable: match schema_rights {
                true => Vec::new(),
                false => sample(80, 30),
            },
        }
    }

    /// Every surface that a caller can meet, collections aside.
    fn surfaces() -> impl Iterator<Item = Surface> {
        (0..=u8::MAX).map(|bits| {
            let bit = |place: u8| bits & (1 << place) != 0;
            let reached = |place: u8| {
                if bit(place) {
                    names(&["a", "b"])
                } else {
                    Vec::new()
                }
            };
            Surface {
                schema_rights: bit(0),
                switches: Switches {
                    address_writes: bit(1),
                    token_writes: true,
                    deletes: bit(2),
                    guidance: bit(3),
                },
                known: names(&["a", "b"]),
                reach: [reached(4), reached(5), reached(6), reached(7)],
                writable: sample(5, 20),
            }
        })
    }

    #[test]
    fn every_tool_passes_the_lint_on_every_surface_in_both_profiles() {
        let mut seen = std::collections::HashSet::new();
        for surface in surfaces() {
            for tool in TOOLS.iter().filter(|tool| tool.offered(&surface)) {
                if !seen.insert((tool.input(&surface).to_string(), tool.description(&surface))) {
                    continue;
                }
                for profile in [SchemaProfile::Portable, SchemaProfile::Full] {
                    let findings = lint::tool(&listed(*tool, &surface, profile), profile);
                    assert!(findings.is_empty(), "{} {profile:?}: {findings:#?}", tool.name());
                }
            }
        }
        assert!(
            seen.len() < 100,
            "few are made, however many callers there are: {}",
            seen.len()
        );
    }

    #[test]
    fn actions_and_collections_are_those_of_the_caller() {
        let check = |reach: [&[&str]; 4], actions: &[&str], collections: &[&str]| {
            let surface = surface(false, reach);
            let Some(items) = TOOLS.iter().find(|tool| tool.name() == "items") else {
                panic!("no items")
            };
            assert_eq!(items.offered(&surface), !actions.is_empty(), "{reach:?}");
            if !actions.is_empty() {
                let input = listed(*items, &surface, SchemaProfile::Portable).input_schema;
                assert_eq!(
                    input["properties"]["action"]["enum"],
                    serde_json::json!(actions),
                    "{reach:?}"
                );
                assert_eq!(
                    input["properties"]["collection"]["enum"],
                    serde_json::json!(collections),
                    "{reach:?}"
                );
                let writes = actions
                    .iter()
                    .any(|action| matches!(*action, "create" | "update"));
                assert_eq!(input["properties"].get("data").is_some(), writes, "{reach:?}");
            }
        };
        check([&[], &[], &[], &[]], &[], &[]);
        check([&[], &["b", "a"], &[], &[]], &["read"], &["a", "b"]);
        check(
            [&["c"], &["a"], &[], &["a"]],
            &["create", "read", "delete"],
            &["a", "c"],
        );
        check([&["c"], &[], &[], &[]], &["create"], &["c"]);
    }

    #[test]
    fn names_and_titles_are_unique() {
        for (i, tool) in TOOLS.iter().enumerate() {
            for other in &TOOLS[..i] {
                assert!(tool.name() != other.name() && tool.title() != other.title());
            }
        }
    }

    #[test]
    fn everything_listed_is_small() {
        let many: Vec<String> = (0..60)
            .map(|i| format!("a_long_name_of_a_collection_{i}"))
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let administrator = surface(true, [&many; 4]);
        let editor = surface(false, [&many; 4]);
        for (everything, profile) in [
            (&administrator, SchemaProfile::Portable),
            (&administrator, SchemaProfile::Full),
            (&editor, SchemaProfile::Portable),
        ] {
            let offered = TOOLS.iter().filter(|tool| tool.offered(everything));
            let tools = offered.map(|tool| listed(*tool, everything, profile)).collect();
            let listing = ToolListing::new(tools);
            let bytes = listing.page(0).unwrap().0.len();
            assert!(bytes <= 30_000, "{bytes}");
        }
    }
}
