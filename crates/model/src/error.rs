//! What can be told to a caller: one table of codes, and problems that say what, where and how to recover.

use std::fmt;

use serde_json::{Map, Value};

/// What class of failure a code belongs to; http turns it into a status, mcp into a tool error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The request does not say something that can be done. 400.
    Invalid,
    /// Nobody, or nobody known, is asking. 401.
    Unauthenticated,
    /// The caller may not, or may not know. 403.
    Forbidden,
    /// No such place. 404.
    NotFound,
    /// The verb does not exist here. 405.
    Method,
    /// What is stored stands against it. 409 (400 where the REST dialect says so).
    Conflict,
    /// More than is accepted. 413.
    TooLarge,
    /// A body of an unknown kind. 415.
    MediaType,
    /// Too often. 429.
    RateLimited,
    /// Not now: retry. 503.
    Unavailable,
    /// Our fault. 500.
    Internal,
}

/// One row of the table of error codes. Compare by [`Code::name`].
#[derive(Debug)]
pub struct Code {
    /// The word that the REST dialect carries in `extensions.code` and MCP in `error.code`.
    pub name: &'static str,
    /// The class of failure.
    pub kind: Kind,
    /// HTTP status of the REST dialect.
    pub status: u16,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// What it means, for the documentation.
    pub meaning: &'static str,
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
impl Eq for Code {}

macro_rules! codes {
    ($($ident:ident $kind:ident $status:literal $retryable:literal $meaning:literal;)*) => {
        $(
            #[doc = $meaning]
            pub static $ident: Code = Code {
                name: stringify!($ident),
                kind: Kind::$kind,
                status: $status,
                retryable: $retryable,
                meaning: $meaning,
            };
        )*
        /// Every code that can reach a caller.
        pub static CODES: &[&Code] = &[$(&$ident),*];
    };
}

codes! {
    INVALID_PAYLOAD Invalid 400 false "The body does not describe something that can be written.";
    INVALID_QUERY Invalid 400 false "The query does not describe something that can be read.";
    FAILED_VALIDATION Invalid 400 false "A value breaks a rule of its field.";
    NOT_NULL_VIOLATION Invalid 400 false "A value is missing where one is needed.";
    CONTAINS_NULL_VALUES Invalid 400 false "A field cannot become required while items have no value in it.";
    VALUE_OUT_OF_RANGE Invalid 400 false "A number is too large or too small for its field.";
    VALUE_TOO_LONG Invalid 400 false "A text is longer than its field allows.";
    INVALID_FOREIGN_KEY Conflict 400 false "A relation points to an item that does not exist, or an item is still pointed to.";
    RECORD_NOT_UNIQUE Conflict 400 false "Another item already has this value in a unique field.";
    ITEM_CHANGED Conflict 409 false "Something else changed the item since: look at it as it is now.";
    UNPROCESSABLE_CONTENT Conflict 422 false "What is asked for would leave the project in a state that it must not be in.";
    INVALID_CREDENTIALS Unauthenticated 401 false "The e-mail address, password or token is wrong.";
    INVALID_OTP Unauthenticated 401 false "The one-time password is missing or wrong.";
    TOKEN_EXPIRED Unauthenticated 401 false "The access token has expired: refresh it or sign in again.";
    USER_SUSPENDED Unauthenticated 401 false "The user is not active.";
    INVALID_TOKEN Forbidden 403 false "The token is not one of ours.";
    FORBIDDEN Forbidden 403 false "The caller may not do this, or it does not exist.";
    DELETES_DISABLED Forbidden 403 false "Deleting through assistants is switched off in the settings.";
    ROUTE_NOT_FOUND NotFound 404 false "There is no such address.";
    METHOD_NOT_ALLOWED Method 405 false "The address exists, the method does not.";
    CONTENT_TOO_LARGE TooLarge 413 false "The request or the result is larger than the limit.";
    UNSUPPORTED_MEDIA_TYPE MediaType 415 false "The body is of a kind that is not understood.";
    REQUESTS_EXCEEDED RateLimited 429 true "Too many requests: wait and retry.";
    SERVICE_UNAVAILABLE Unavailable 503 true "Something needed does not answer: retry.";
    OUTCOME_UNKNOWN Internal 500 false "The database, or the time that a request may take, gave out while the change was being kept: look whether it was made before you repeat it.";
    INTERNAL_SERVER_ERROR Internal 500 true "An unexpected failure; the log has the details under the request id.";
}

/// One thing that is wrong with a request: what, where, and how to recover. Everything in it may be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// The row of the table.
    pub code: &'static Code,
    /// One sentence: what is wrong.
    pub message: String,
    /// Where in the request, as a dotted path with `[i]` for positions (`data[0].author.email`); empty for the whole.
    pub path: String,
    /// How to recover, if there is more to say than the message does.
    pub hint: Option<String>,
    /// The REST dialect's further `extensions` (collection, field, type, …).
    pub extensions: Map<String, Value>,
}

impl Problem {
    /// A problem with the whole request.
    pub fn new(code: &'static Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            path: String::new(),
            hint: None,
            extensions: Map::new(),
        }
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// Puts a step in front of the path: `within("data[0]")` turns `title` into `data[0].title`.
    #[must_use]
    pub fn within(mut self, step: &str) -> Self {
        self.path = match (self.path.is_empty(), self.path.starts_with('[')) {
            (true, _) => step.to_owned(),
            (false, true) => format!("{step}{}", self.path),
            (false, false) if step.is_empty() => self.path,
            (false, false) => format!("{step}.{}", self.path),
        };
        self
    }

    /// Says how to recover.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into()).filter(|hint| !hint.is_empty());
        self
    }

    /// Adds a member to the REST dialect's `extensions`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extensions.insert(name.to_owned(), value.into());
        self
    }

    /// Nobody can say whether a change was made: how to find out.
    #[must_use]
    pub fn outcome_unknown(message: &str) -> Self {
        Self::new(&OUTCOME_UNKNOWN, message).hint(
            "Do not repeat it yet. Read the changes of this request: GET /changes?request=<X-Request-Id of this answer>, or \
             your last ones with the tool \"changes\". If it is among them, it was made; if not, nothing was changed.",
        )
    }

    /// The answer for what is denied and for what does not exist: the two must look the same.
    #[must_use]
    pub fn forbidden() -> Self {
        Self::new(
            &FORBIDDEN,
            "You don't have permission to access this, or it does not exist.",
        )
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " {hint}")?;
        }
        Ok(())
    }
}

/// Everything that is wrong with a request, never empty where it is an error.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// Notes one more.
    pub fn push(&mut self, problem: Problem) {
        self.0.push(problem);
    }

    /// Notes all of `other`.
    pub fn extend(&mut self, other: Problems) {
        self.0.extend(other.0);
    }

    /// `Ok(value)` when nothing is wrong.
    ///
    /// # Errors
    /// Returns itself when anything is.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }

    /// Takes the value, or notes what is wrong and gives `None`.
    pub fn take<T>(&mut self, result: Result<T, impl Into<Self>>) -> Option<T> {
        result.map_err(|problems| self.extend(problems.into())).ok()
    }

    /// Puts a step in front of every path.
    #[must_use]
    pub fn within(self, step: &str) -> Self {
        Self(self.0.into_iter().map(|problem| problem.within(step)).collect())
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}
impl std::error::Error for Problems {}

/// What is longer than this, in bytes, is meant for no name: comparing takes as long as both are, multiplied.
const LONGEST_NAME: usize = 256;

/// The nearest of `known` to what was written, if any is near enough to be meant.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if written.len() > LONGEST_NAME {
        return None;
    }
    let written = written.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&written, &name.to_lowercase()), name))
        .filter(|(score, _)| *score > 0.78)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_names_are_unique_and_documented() {
        let mut names: Vec<_> = CODES.iter().map(|code| code.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CODES.len());
        assert!(
            CODES
                .iter()
                .all(|code| code.meaning.ends_with('.') && (400..600).contains(&code.status))
        );
    }

    #[test]
    fn the_documentation_lists_every_code() {
        let row = |code: &&Code| format!("| `{}` | {} | {} |", code.name, code.status, code.meaning);
        let expect: Vec<_> = CODES.iter().map(row).collect();
        let listed = include_str!("../../../docs/errors.md").lines();
        let listed: Vec<_> = listed.filter(|line| line.starts_with("| `")).collect();
        assert_eq!(listed, expect);
    }

    #[test]
    fn paths_grow_from_the_inside() {
        let check = |path: &str, step: &str, expect: &str| {
            let problem = Problem::new(&INVALID_PAYLOAD, "x").at(path).within(step);
            assert_eq!(problem.path, expect);
        };
        check("", "data", "data");
        check("title", "data[0]", "data[0].title");
        check("[3]", "tags", "tags[3]");
        check("title", "", "title");
    }

    #[test]
    fn the_nearest_name_is_offered_only_when_near() {
        assert_eq!(nearest("titel", ["title", "body"]), Some("title"));
        assert_eq!(nearest("Status", ["status"]), Some("status"));
        assert_eq!(nearest("qqqq", ["title", "body"]), None);
        let long = "title".repeat(200_000);
        assert_eq!(nearest(&long, std::iter::repeat_n("title", 10_000)), None);
    }
}
