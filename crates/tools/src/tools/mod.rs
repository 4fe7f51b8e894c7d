//! The tools, one file each.

use crate::Tool;

mod changes;
mod collections;
mod definitions;
mod fields;
mod items;
mod model_receipt;
mod relations;
mod schema;
mod system_prompt;

/// Every tool, in the order in which they are listed.
pub static TOOLS: &[&dyn Tool] = &[
    &system_prompt::SystemPrompt,
    &schema::SchemaTool,
    &items::Items,
    &changes::Changes,
    &collections::Collections,
    &fields::Fields,
    &relations::Relations,
];
