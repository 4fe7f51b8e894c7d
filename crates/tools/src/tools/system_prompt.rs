//! `system-prompt`: guidance for the model; the project's own, or ours.

use std::borrow::Cow;

use loggia_access::Action;
use serde_json::{Map, Value, json};

use crate::catalogue::{Annotations, BoxFuture, CallError, ToolResult};
use crate::plain_text::plain_lines;
use crate::surface::{READS, Surface};
use crate::tool::{Call, Tool};

/// The tool.
pub(super) struct SystemPrompt;

/// Guidance that every project can use.
const BUILT_IN: &str = include_str!("system_prompt.md");

/// The longest guidance of a project, in characters.
const CHARACTERS: usize = 20_000;

impl Tool for SystemPrompt {
    fn name(&self) -> &'static str {
        "system-prompt"
    }

    fn description(&self, _: &Surface) -> Cow<'static, str> {
        "How to work with this server. Call it once, before any other tool.".into()
    }

    fn annotations(&self, _: &Surface) -> Annotations {
        READS
    }

    fn offered(&self, surface: &Surface) -> bool {
        surface.switches.guidance
    }

    fn input(&self, _: &Surface) -> Value {
        json!({"type": "object", "properties": {}, "additionalProperties": false})
    }

    fn output(&self, _: &Surface) -> Value {
        json!({
            "type": "object",
            "properties": {"prompt": {"type": "string", "description": "Markdown."}},
            "required": ["prompt"],
        })
    }

    fn run<'a>(
        &'a self,
        call: Call<'a>,
        _: Map<String, Value>,
    ) -> BoxFuture<'a, Result<ToolResult, CallError>> {
        Box::pin(async move {
            let settings = call.engine.settings();
            let mut prompt = match settings.mcp_system_prompt() {
                Some(own) => plain_lines(own, CHARACTERS),
                None => built_in(call.surface),
            };
            let limits = limits(&call);
            if !limits.is_empty() {
                prompt = format!("{}\n\n## Your limits\n{}\n", prompt.trim_end(), limits.join("\n"));
            }
            Ok(ToolResult::new(Map::from_iter([(
                "prompt".to_owned(),
                prompt.into(),
            )])))
        })
    }
}

/// Our guidance, without the chapters on what the caller cannot do.
fn built_in(surface: &Surface) -> String {
    let actions = surface.item_actions();
    let reads = actions.contains(&Action::Read);
    let writes = actions.iter().any(|action| *action != Action::Read);
    let models = surface.schema_rights && surface.switches.writes();
    let wanted = |chapter: &&str| match chapter.lines().next() {
        Some("Reading with `items`") => reads,
        Some("Writing") => writes,
        Some("Changing the model") => models,
        _ => true,
    };
    let chapters: Vec<_> = BUILT_IN.split("\n## ").filter(wanted).collect();
    chapters.join("\n## ")
}

/// What the caller cannot do here, so that nobody tries in vain.
fn limits(call: &Call<'_>) -> Vec<&'static str> {
    let switches = call.surface.switches;
    [
        (!switches.address_writes, "- This connection only reads. Nothing can be changed through it."),
        (
            !switches.token_writes,
            "- This token only proposes: it changes nothing. Say what you would change, so that a person can do it.",
        ),
        (
            !call.grants.is_admin(),
            "- Your user may not do everything: `schema` shows their collections and fields, and `access` what can be \
             done with which. Whatever is not shown does not exist for you.",
        ),
    ]
    .into_iter()
    .filter(|(holds, _)| *holds)
    .map(|(_, said)| said)
    .collect()
}
