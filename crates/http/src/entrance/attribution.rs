//! What is recorded with a change besides who made it, and how the answer names the change.

use std::sync::{Arc, OnceLock};

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use loggia_access::Attribution;
use loggia_model::Problem;
use loggia_model::error::INVALID_PAYLOAD;

use super::shared_id;

/// In answers: the key of the change that the request made.
pub(crate) const CHANGE: HeaderName = HeaderName::from_static("loggia-change");
/// In requests: what the change is for.
pub(crate) const TITLE: HeaderName = HeaderName::from_static("loggia-change-title");
/// A title has at most so many characters.
const LONGEST_TITLE: usize = 255;

/// The change that a request made, once it is committed, and whether it came so far that it may be; travels in the extensions
/// of the request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Noted {
    change: Arc<OnceLock<String>>,
    commit: Arc<OnceLock<()>>,
}

impl Noted {
    /// Names the change in the answer, if there was one.
    pub(super) fn mark(&self, headers: &mut HeaderMap) {
        if let Some(change) = self.change.get()
            && let Ok(value) = HeaderValue::from_str(change)
        {
            headers.insert(CHANGE, value);
        }
    }

    /// Whether a commit has begun.
    pub(super) fn may_be_kept(&self) -> bool {
        self.commit.get().is_some()
    }
}

/// What is known of a request besides who makes it.
///
/// # Errors
/// A title that is no text, or too long.
pub(crate) fn attribution(parts: &Parts) -> Result<Attribution, Problem> {
    let id = shared_id(&parts.extensions);
    let noted = parts.extensions.get::<Noted>().cloned().unwrap_or_default();
    Ok(Attribution {
        request_id: (!id.is_empty()).then(|| id.to_string()),
        title: title(&parts.headers)?,
        change: noted.change,
        commit: noted.commit,
        ..Attribution::default()
    })
}

fn title(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let refused = |message: &str, hint: String| {
        Err(Problem::new(&INVALID_PAYLOAD, message)
            .at("Loggia-Change-Title")
            .hint(hint))
    };
    let mut values = headers.get_all(TITLE).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return refused(
            "The title of the change is given more than once.",
            "Send the header once.".to_owned(),
        );
    }
    let Ok(text) = std::str::from_utf8(value.as_bytes()) else {
        return refused("The title of the change is no text.", "Send UTF-8.".to_owned());
    };
    if text.chars().count() > LONGEST_TITLE {
        return refused(
            "The title of the change is too long.",
            format!("At most {LONGEST_TITLE} characters."),
        );
    }
    Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_text_of_a_bounded_length_and_given_once() {
        let check = |values: &[&[u8]], expect: Result<Option<&str>, &str>| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(TITLE, HeaderValue::from_bytes(value).unwrap());
            }
            let got = title(&headers).map_err(|problem| problem.message);
            assert_eq!(
                got,
                expect.map(|text| text.map(str::to_owned)).map_err(str::to_owned)
            );
        };
        check(&[], Ok(None));
        check(&[b" "], Ok(None));
        check(&[b" Spring prices "], Ok(Some("Spring prices")));
        check(&["Frühling".as_bytes()], Ok(Some("Frühling")));
        check(&["ü".repeat(255).as_bytes()], Ok(Some(&"ü".repeat(255))));
        check(&[&[b'x'; 256]], Err("The title of the change is too long."));
        check(&[b"\xff"], Err("The title of the change is no text."));
        check(
            &[b"a", b"b"],
            Err("The title of the change is given more than once."),
        );
    }
}
