//! Results as JSON text, written once into one buffer.

use loggia_tools::catalogue::{Content, InputRequired, Question, ToolResult};
use serde_json::{Map, Value, json};

/// How long a client may keep the list of tools and the description of the server, in milliseconds.
const FRESH_FOR: &str = "60000";

/// A result response that is being written.
pub(crate) struct Answer<'a> {
    out: Vec<u8>,
    /// The `_meta` member of results, where the revision has it.
    meta: Option<&'a str>,
}

impl<'a> Answer<'a> {
    /// Begins the response to request `id`; `meta` (`"_meta":{…}`) says that the revision is stateless.
    pub(crate) fn open(id: &str, meta: Option<&'a str>, capacity: usize) -> Self {
        let mut out = Vec::with_capacity(capacity + id.len() + 256);
        out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
        out.extend_from_slice(id.as_bytes());
        out.extend_from_slice(br#","result":{"#);
        Self { out, meta }
    }

    fn raw(mut self, text: &str) -> Self {
        self.out.extend_from_slice(text.as_bytes());
        self
    }

    fn text(mut self, text: &str) -> Self {
        write_string(&mut self.out, text);
        self
    }

    fn kind(self, kind: &str) -> Self {
        if self.meta.is_some() {
            self.raw(r#""resultType":""#).raw(kind).raw(r#"","#)
        } else {
            self
        }
    }

    /// Caching hints, where the revision has them. The lists differ by caller.
    fn fresh(self) -> Self {
        if self.meta.is_none() {
            return self;
        }
        self.raw(r#""ttlMs":"#)
            .raw(FRESH_FOR)
            .raw(r#","cacheScope":"private","#)
    }

    fn close(mut self) -> Vec<u8> {
        match self.meta {
            Some(meta) => self.out.extend_from_slice(meta.as_bytes()),
            None if self.out.last() == Some(&b',') => {
                self.out.pop();
            }
            None => {}
        }
        self.out.extend_from_slice(b"}}");
        self.out
    }

    /// A result without anything in it.
    pub(crate) fn empty(self) -> Vec<u8> {
        self.kind("complete").close()
    }

    /// The members of `result`, as an object.
    pub(crate) fn members(self, members: &Map<String, Value>, fresh: bool) -> Vec<u8> {
        let mut answer = self.kind("complete");
        for (name, value) in members {
            answer = answer.text(name).raw(":").raw(&value.to_string()).raw(",");
        }
        if fresh {
            answer.fresh().close()
        } else {
            answer.close()
        }
    }

    /// `tools/list`: one page, and where the next begins.
    pub(crate) fn tools(self, page: &str, next: Option<&str>) -> Vec<u8> {
        let mut answer = self.kind("complete").raw(r#""tools":"#).raw(page).raw(",");
        if let Some(next) = next {
            answer = answer.raw(r#""nextCursor":"#).text(next).raw(",");
        }
        answer.fresh().close()
    }

    /// `tools/call`: what the tool answered. The structured result is serialised once, and carried as text too.
    ///
    /// # Errors
    /// When the structured result cannot be serialised.
    pub(crate) fn called(mut self, result: &ToolResult) -> Result<Vec<u8>, serde_json::Error> {
        let structured = serde_json::to_string(&result.structured)?;
        self.out.reserve(structured.len() * 2 + structured.len() / 4);
        let mut answer = self
            .kind("complete")
            .raw(r#""content":[{"type":"text","text":"#)
            .text(&structured)
            .raw("}");
        for block in &result.content {
            answer = match block {
                Content::Text(text) => answer.raw(r#",{"type":"text","text":"#).text(text).raw("}"),
                Content::Image { data, mime_type } => answer.media("image", data, mime_type),
                Content::Audio { data, mime_type } => answer.media("audio", data, mime_type),
            };
        }
        Ok(answer
            .raw(r#"],"structuredContent":"#)
            .raw(&structured)
            .raw(r#","isError":false,"#)
            .close())
    }

    fn media(mut self, kind: &str, data: &str, mime_type: &str) -> Self {
        self.out.reserve(data.len() + 128);
        self.raw(r#",{"type":""#)
            .raw(kind)
            .raw(r#"","data":"#)
            .text(data)
            .raw(r#","mimeType":"#)
            .text(mime_type)
            .raw("}")
    }

    /// `tools/call`: what the tool could not do, as one JSON object. It stands in the text alone: the structured
    /// result of a tool validates against its output schema, and an error would not.
    pub(crate) fn failed(self, error: &str) -> Vec<u8> {
        self.kind("complete")
            .raw(r#""content":[{"type":"text","text":"#)
            .text(error)
            .raw(r#"}],"isError":true,"#)
            .close()
    }

    /// `tools/call`: what to ask before calling again.
    pub(crate) fn input_required(self, input: &InputRequired) -> Vec<u8> {
        let mut answer = self.kind("input_required");
        if !input.requests.is_empty() || input.state.is_none() {
            let requests: Map<String, Value> = input
                .requests
                .iter()
                .map(|(key, question)| (key.clone(), elicitation(question)))
                .collect();
            answer = answer
                .raw(r#""inputRequests":"#)
                .raw(&Value::Object(requests).to_string())
                .raw(",");
        }
        if let Some(state) = &input.state {
            answer = answer.raw(r#""requestState":"#).text(state).raw(",");
        }
        answer.close()
    }
}

fn elicitation(question: &Question) -> Value {
    let params = match question {
        Question::Form { message, schema } => {
            json!({ "mode": "form", "message": message, "requestedSchema": schema })
        }
        Question::Url { message, url } => json!({ "mode": "url", "message": message, "url": url }),
    };
    json!({ "method": "elicitation/create", "params": params })
}

/// Writes a JSON string (RFC 8259, section 7).
fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut written = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => br#"\""#,
            b'\\' => br"\\",
            b'\n' => br"\n",
            b'\r' => br"\r",
            b'\t' => br"\t",
            0..=0x1f => b"",
            _ => continue,
        };
        out.extend_from_slice(&bytes[written..at]);
        if escape.is_empty() {
            out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
        } else {
            out.extend_from_slice(escape);
        }
        written = at + 1;
    }
    out.extend_from_slice(&bytes[written..]);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_written_as_json() {
        let every: String = (0..0x250)
            .filter_map(char::from_u32)
            .chain(['\u{2028}', '世', '😀'])
            .collect();
        for text in ["", "plain", "\"", "a\\b\"c", &every] {
            let mut out = Vec::new();
            write_string(&mut out, text);
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
