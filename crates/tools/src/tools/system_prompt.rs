//! `system-prompt`: guidance for the model; the project's own, or ours.

use serde_json::{Map, Value, json};

use crate::catalogue::{Annotations, BoxFuture, CallError, ToolResult};
use crate::plain_text::plain_lines;
use crate::tool::{Call, READS, Surface, Tool};

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

    fn title(&self) -> &'static str {
        "System prompt"
    }

    fn description(&self) -> &'static str {
        "How to work with this server. Call it once, before any other tool."
    }

    fn annotations(&self, _: &Surface) -> Annotations {
        READS
    }

    fn offered(&self, surface: &Surface) -> bool {
        surface.guidance
    }

    fn input(&self, _: &Surface) -> Value {
        json!({"type": "object", "properties": {}, "additionalProperties": false})
    }

    fn output(&self) -> Value {
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
            let prompt = match settings.mcp_system_prompt() {
                Some(own) => plain_lines(own, CHARACTERS),
                None => BUILT_IN.to_owned(),
            };
            Ok(ToolResult::new(Map::from_iter([(
                "prompt".to_owned(),
                prompt.into(),
            )])))
        })
    }
}
