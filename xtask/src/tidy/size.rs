//! Files and functions stay short enough to read in one go.

use super::source::{SourceFile, is_word, line_of};
use super::{Finding, Tree};

/// Most lines of a file.
const FILE_LINES: usize = 800;
/// Most lines of a function, its signature and closing brace included. Tests, and what stands in folders of tests,
/// may be longer: they are tables of cases and of fixtures.
const FUNCTION_LINES: usize = 80;
/// The endings of files that people write as code.
const CODE: &[&str] = &[".rs", ".mjs", ".js", ".ts", ".py", ".sh"];

/// Known exceptions: a path, or `path::function`. This list may only shrink, and an entry that is no longer
/// needed is a finding.
const EXCEPTIONS: &[&str] = &[];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    check_with(tree, EXCEPTIONS)
}

fn check_with(tree: &Tree, exceptions: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut used = Vec::new();
    for file in &tree.files {
        for (name, finding) in oversized(file) {
            if exceptions.contains(&name.as_str()) {
                used.push(name);
            } else {
                findings.push(finding);
            }
        }
    }
    for exception in exceptions
        .iter()
        .filter(|name| !used.iter().any(|seen| seen == *name))
    {
        let text = format!("`{exception}` is within the limits now: take it off EXCEPTIONS");
        findings.push(Finding::new("xtask/src/tidy/size.rs", 1, text));
    }
    findings
}

/// What is too long in a file, each with the name that an exception would use.
fn oversized(file: &SourceFile) -> Vec<(String, Finding)> {
    let mut found = Vec::new();
    let lines = file.text.lines().count();
    if CODE.iter().any(|ending| file.path.ends_with(ending)) && lines > FILE_LINES {
        let text = format!("{lines} lines, more than {FILE_LINES}: split it where a second thing begins");
        found.push((file.path.clone(), Finding::new(&file.path, FILE_LINES + 1, text)));
    }
    if file.is_rust() && !file.path.contains("/tests/") {
        for function in functions(&file.code)
            .into_iter()
            .filter(|function| function.lines > FUNCTION_LINES)
        {
            let text = format!(
                "`{}` has {} lines, more than {FUNCTION_LINES}: give its steps names",
                function.name, function.lines
            );
            found.push((
                format!("{}::{}", file.path, function.name),
                Finding::new(&file.path, function.line, text),
            ));
        }
    }
    found
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
struct Function<'a> {
    name: &'a str,
    line: usize,
    lines: usize,
}

/// The functions in blanked code, nested ones included, tests left out.
fn functions(code: &str) -> Vec<Function<'_>> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("fn ") {
        if !is_word(code, at, 2) {
            continue;
        }
        let rest = code[at + 3..].trim_start();
        let length = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        if length == 0 || is_test(&code[..at]) {
            continue;
        }
        if let Some(end) = body_end(&code[at..]) {
            let (first, last) = (line_of(code, at), line_of(code, at + end));
            found.push(Function {
                name: &rest[..length],
                line: first,
                lines: last - first + 1,
            });
        }
    }
    found
}

/// Whether the attributes at the end of `before` make the function that follows a test.
fn is_test(before: &str) -> bool {
    let attributes = before.rfind(['{', '}', ';']).map_or(before, |end| &before[end..]);
    ["#[test]", "::test]", "::test("]
        .iter()
        .any(|mark| attributes.contains(mark))
}

/// The offset of the brace that closes the first body in `code`; none when a `;` outside brackets comes first.
fn body_end(code: &str) -> Option<usize> {
    let (mut brackets, mut braces) = (0_usize, 0_usize);
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets = brackets.saturating_sub(1),
            b';' if brackets == 0 && braces == 0 => return None,
            b'{' => braces += 1,
            b'}' => {
                braces = braces.saturating_sub(1);
                if braces == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function_of(lines: usize) -> String {
        let mut text = String::from("fn long() {\n");
        text.push_str(&"    step();\n".repeat(lines - 2));
        text.push_str("}\n");
        text
    }

    #[test]
    fn functions_are_measured() {
        let code = "fn a() {\n    x();\n}\ntrait T {\n    fn b(&self) -> [u8; 2];\n    fn c() {}\n}\ntype F = fn (u8);\n";
        let found = functions(code);
        assert_eq!(
            found,
            [
                Function {
                    name: "a",
                    line: 1,
                    lines: 3
                },
                Function {
                    name: "c",
                    line: 6,
                    lines: 1
                }
            ]
        );
    }

    #[test]
    fn limits_hold_and_exceptions_must_be_needed() {
        let fits = Tree::of(&[("a.rs", &function_of(80))]);
        let long = Tree::of(&[("a.rs", &function_of(81))]);
        let tall = "x();\n".repeat(801);
        assert_eq!(check_with(&fits, &[]), []);
        assert_eq!(check_with(&long, &[]).len(), 1);
        assert_eq!(
            check_with(
                &Tree::of(&[("a.rs", &format!("#[test]\n{}", function_of(81)))]),
                &[]
            ),
            []
        );
        assert_eq!(check_with(&long, &["a.rs::long"]), []);
        assert_eq!(
            check_with(&Tree::of(&[("a/tests/it/b.rs", &function_of(81))]), &[]),
            []
        );
        assert_eq!(check_with(&fits, &["a.rs::long"]).len(), 1);
        assert_eq!(check_with(&Tree::of(&[("a.py", &tall)]), &[])[0].line, 801);
        assert_eq!(check_with(&Tree::of(&[("a.json", &tall)]), &[]), []);
    }
}
