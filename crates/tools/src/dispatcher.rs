//! The catalogue over an engine: finds the tool, checks the arguments, calls it.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use loggia_engine::{Engine, Settings};
use loggia_model::Schema;
use loggia_model::error::{self, nearest};
use serde_json::{Map, Value};

use crate::arguments::Arguments;
use crate::bounds::Bounds;
use crate::catalogue::{
    BoxFuture, CallContext, CallError, Catalogue, SchemaProfile, ToolDescription, ToolError, ToolListing,
    ToolResult,
};
use crate::tool::{Call, Surface, Tool};
use crate::tools::TOOLS;
use crate::{lint, schemas};

/// Snapshots that are kept. A snapshot depends on few facts, so more are not in use at one time.
const SNAPSHOTS: usize = 64;

/// The tools over one engine.
pub struct Tools {
    engine: Engine,
    public_url: Arc<str>,
    /// Newest first. Read without a lock, replaced whole.
    snapshots: ArcSwap<Vec<(Key, Arc<Snapshot>)>>,
}

/// Everything that a listing depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    surface: Surface,
    profile: SchemaProfile,
    /// One for each of [`TOOLS`]: whether it is wanted.
    wanted: Vec<bool>,
    schema_version: u64,
}

/// The tools as one kind of caller sees them.
struct Snapshot {
    listing: Arc<ToolListing>,
    tools: Vec<Prepared>,
    /// See [`Call::hash`].
    hash: OnceLock<String>,
}

struct Prepared {
    tool: &'static dyn Tool,
    arguments: Arguments,
}

impl Tools {
    /// The tools over `engine`. Links into the Studio start with `public_url`.
    #[must_use]
    pub fn new(engine: Engine, public_url: &str) -> Self {
        Self {
            engine,
            public_url: public_url.trim_end_matches('/').into(),
            snapshots: ArcSwap::default(),
        }
    }

    fn surface(&self, context: &CallContext, schema: &Schema, settings: &Settings) -> Surface {
        let caller = &context.caller;
        let grants = self.engine.outline(caller);
        let mut reachable = loggia_access::may_read(&grants, schema);
        let writes = !context.narrowing.read_only;
        Surface {
            schema_rights: loggia_access::may_change_schema(caller),
            items: loggia_access::may_change_schema(caller) || reachable.any(|collection| !collection.system),
            writes,
            deletes: writes && settings.mcp_allow_deletes(),
            guidance: settings.mcp_system_prompt_enabled(),
        }
    }

    fn snapshot(&self, context: &CallContext) -> (Surface, Arc<Snapshot>) {
        let schema = self.engine.schema();
        let narrowing = &context.narrowing;
        let surface = self.surface(context, &schema, &self.engine.settings());
        let wanted = |tool: &&dyn Tool| match &narrowing.toolsets {
            Some(sets) => sets.iter().any(|set| set == tool.name()),
            None => true,
        };
        let key = Key {
            surface,
            profile: narrowing.schemas,
            wanted: TOOLS.iter().map(wanted).collect(),
            schema_version: schema.version,
        };
        let known = self.snapshots.load();
        if let Some((_, snapshot)) = known.iter().find(|(made_for, _)| *made_for == key) {
            return (surface, snapshot.clone());
        }
        let snapshot = Arc::new(Snapshot::make(&key));
        self.snapshots.rcu(|known| {
            let older = known
                .iter()
                .filter(|(made_for, _)| *made_for != key)
                .take(SNAPSHOTS - 1);
            let newest = (key.clone(), snapshot.clone());
            std::iter::once(newest).chain(older.cloned()).collect::<Vec<_>>()
        });
        (surface, snapshot)
    }

    async fn run(
        &self,
        context: &CallContext,
        name: &str,
        given: Map<String, Value>,
    ) -> Result<ToolResult, CallError> {
        let (surface, snapshot) = self.snapshot(context);
        let prepared = snapshot
            .tools
            .iter()
            .find(|prepared| prepared.tool.name() == name);
        let Some(Prepared { tool, arguments }) = prepared else {
            let names = snapshot.tools.iter().map(|prepared| prepared.tool.name());
            let nearest = nearest(name, names).map(str::to_owned);
            return Err(CallError::UnknownTool { nearest });
        };
        switched_off(surface, *tool, &given)?;
        let given = arguments.check(given)?;
        let settings = self.engine.settings();
        let bounds = Bounds {
            rows: settings.mcp_max_rows(),
            tokens: usize::try_from(settings.mcp_max_tokens()).unwrap_or(usize::MAX),
        };
        let asked = given.get("max_tokens").and_then(Value::as_u64);
        let grants = self.engine.outline(&context.caller);
        let call = Call {
            engine: &self.engine,
            grants: &grants,
            context,
            surface,
            public_url: &self.public_url,
            bounds: bounds.asked(asked.or(context.narrowing.max_tokens.map(u64::from))),
            hash: &snapshot.hash,
        };
        tool.run(call, given).await
    }
}

/// Says why an action that the tool has elsewhere is missing here, instead of listing those that are left.
fn switched_off(surface: Surface, tool: &dyn Tool, given: &Map<String, Value>) -> Result<(), ToolError> {
    let action = given.get("action").and_then(Value::as_str).unwrap_or_default();
    let off = match action {
        "create" | "update" => !surface.writes,
        "delete" => !surface.deletes,
        _ => false,
    };
    let everything = Surface {
        writes: true,
        deletes: true,
        ..surface
    };
    let has = || {
        tool.input(&everything)
            .pointer("/properties/action/enum")
            .is_some()
    };
    if !off || !has() {
        return Ok(());
    }
    if !surface.writes {
        return Err(ToolError::new(&error::FORBIDDEN, "This connection only reads.")
            .at("action")
            .hint("It was opened with `read_only=true` in its URL; nothing can be changed through it."));
    }
    Err(ToolError::new(&error::DELETES_DISABLED, "Deleting through assistants is switched off.")
        .at("action")
        .hint("An administrator can allow deletes in the settings (`mcp_allow_deletes`). Consider archiving instead."))
}

impl Snapshot {
    fn make(key: &Key) -> Self {
        let wanted = TOOLS
            .iter()
            .zip(&key.wanted)
            .filter(|(_, wanted)| **wanted)
            .map(|(tool, _)| *tool);
        let (mut descriptions, mut tools) = (Vec::new(), Vec::new());
        for tool in wanted.filter(|tool| tool.offered(&key.surface)) {
            let description = describe(tool, &key.surface, key.profile);
            let mut findings = lint::tool(&description, key.profile);
            match Arguments::compile(&tool.input(&key.surface)) {
                Ok(arguments) if findings.is_empty() => {
                    descriptions.push(description);
                    tools.push(Prepared { tool, arguments });
                    continue;
                }
                Ok(_) => {}
                Err(error) => findings.push(error),
            }
            tracing::error!(
                tool = tool.name(),
                ?findings,
                "a tool is left out: clients would refuse its schema"
            );
        }
        Self {
            listing: Arc::new(ToolListing::new(descriptions)),
            tools,
            hash: OnceLock::new(),
        }
    }
}

/// The tool as it is listed.
fn describe(tool: &dyn Tool, surface: &Surface, profile: SchemaProfile) -> ToolDescription {
    ToolDescription {
        name: tool.name().to_owned(),
        title: tool.title().to_owned(),
        description: tool.description().to_owned(),
        input_schema: Arc::new(schemas::compile(&tool.input(surface), profile)),
        output_schema: Some(Arc::new(schemas::compile(&tool.output(), profile))),
        annotations: tool.annotations(surface),
    }
}

impl Catalogue for Tools {
    fn list(&self, context: &CallContext) -> Arc<ToolListing> {
        self.snapshot(context).1.listing.clone()
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

    /// Every surface that a caller can meet.
    fn surfaces() -> impl Iterator<Item = Surface> {
        (0..32_u8).map(|bits| Surface {
            schema_rights: bits & 1 != 0,
            items: bits & 2 != 0,
            writes: bits & 4 != 0,
            deletes: bits & 12 == 12,
            guidance: bits & 16 != 0,
        })
    }

    #[test]
    fn every_tool_passes_the_lint_on_every_surface_in_both_profiles() {
        for surface in surfaces() {
            for profile in [SchemaProfile::Portable, SchemaProfile::Full] {
                for tool in TOOLS {
                    let findings = lint::tool(&describe(*tool, &surface, profile), profile);
                    assert!(findings.is_empty(), "{} {profile:?}: {findings:#?}", tool.name());
                    Arguments::compile(&tool.input(&surface)).unwrap();
                }
            }
        }
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
        let everything = Surface {
            schema_rights: true,
            items: true,
            writes: true,
            deletes: true,
            guidance: true,
        };
        for profile in [SchemaProfile::Portable, SchemaProfile::Full] {
            let tools = TOOLS
                .iter()
                .map(|tool| describe(*tool, &everything, profile))
                .collect();
            let listing = ToolListing::new(tools);
            let bytes = listing.page(0).unwrap().0.len();
            assert!(bytes <= 30_000, "{bytes}");
        }
    }
}
