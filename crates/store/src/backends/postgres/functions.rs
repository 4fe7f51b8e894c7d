//! Functions that statements need and PostgreSQL lacks (see `functions.sql`, and `geometry.sql` for shapes). They are
//! made in the first schema of the search path when a database is opened; no table depends on them, so they can be
//! dropped, and the next start makes them again.
//!
//! To add a function: its text in `functions.sql`, and its case in `tests/it`.

use loggia_model::Scalar;

use super::connection::{Connection, Failure};
use crate::folding::fold;

/// Their texts, but for what depends on the server.
const TEXTS: &str = include_str!("functions.sql");
const SHAPES: &str = include_str!("geometry.sql");

/// The text that makes them; `None` where they are there as they should be.
pub(super) async fn missing(connection: &Connection) -> Result<Option<String>, Failure> {
    // ICU folds case by its own edition of Unicode.
    const QUERY: &str = "SELECT obj_description(to_regprocedure('loggia_fold(text)'), 'pg_proc'), \
         (SELECT pg_collation_actual_version(l.oid) FROM pg_collation AS l \
          WHERE l.collname = 'und-x-icu' AND l.collnamespace = 'pg_catalog'::regnamespace)";
    let rows = connection.ask_once(QUERY, &[]).await?;
    let (Some(mark), Some(icu)) = (rows.cells.first(), rows.cells.get(1)) else {
        return Ok(None);
    };
    let icu = icu.as_text();
    let wanted = format!(
        "Loggia {:016x} {}",
        digest(&[TEXTS, SHAPES, FOLD]),
        icu.unwrap_or("without ICU")
    );
    if mark.as_text() == Some(wanted.as_str()) {
        return Ok(None);
    }
    let fold = folding(connection, icu.is_some()).await?;
    Ok(Some(format!(
        "{TEXTS}\n{SHAPES}\n{fold}\nCOMMENT ON FUNCTION loggia_fold(text) IS '{wanted}'"
    )))
}

/// Folds case as `folding::fold` does; `{fold}` is worked out for the server.
const FOLD: &str = "CREATE OR REPLACE FUNCTION loggia_fold(value text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
  IF octet_length(value) = char_length(value) THEN
    RETURN lower(value COLLATE \"C\");
  END IF;
  RETURN {fold};
END $$;";

/// What a server with ICU makes of a text; without it, only the characters below are folded.
const BY_ICU: &str = "lower(upper(lower(value COLLATE \"und-x-icu\")))";

/// The function that folds case. The server is asked what it makes of every character that has case, and where that is
/// not what we make of it, the function says so.
async fn folding(connection: &Connection, icu: bool) -> Result<String, Failure> {
    let base = if icu { BY_ICU } else { "lower(value COLLATE \"C\")" };
    let query = format!(
        "SELECT string_agg({base}, chr(31) ORDER BY place) FROM unnest($1::text[]) WITH ORDINALITY AS c (value, place)"
    );
    let cased = cased();
    let values: Vec<_> = cased.iter().map(|c| Scalar::from(c.to_string())).collect();
    let array = super::arguments::array(Some(loggia_model::StorageKind::Text), &values);
    let rows = connection.ask_once(&query, &[Scalar::Text(array)]).await?;
    let folded = rows.cells.first().and_then(Scalar::as_text).unwrap_or_default();
    // Each character by itself, and then what stands for several.
    let (mut from, mut to) = (String::new(), String::new());
    let mut longer = Vec::new();
    for (character, theirs) in cased.iter().zip(folded.split('\u{1f}')) {
        let ours = fold(character.encode_utf8(&mut [0; 4])).into_owned();
        if ours == theirs {
            continue;
        }
        let mut characters = ours.chars();
        match (characters.next(), characters.next()) {
            (Some(only), None) => {
                from.push(*character);
                to.push(only);
            }
            _ => longer.push((*character, ours)),
        }
    }
    let mut inner = "value".to_owned();
    // Before the server's own folding: afterwards, characters that are left alone could not be told from others.
    if !from.is_empty() {
        inner = format!("translate({inner}, '{from}', '{to}')");
    }
    for (character, ours) in longer {
        inner = format!("replace({inner}, '{character}', '{ours}')");
    }
    let fold = base.replace("value", &inner);
    // Where it stands at the end of a word, ICU gives sigma another form.
    let fold = format!("replace({fold}, 'ς', 'σ')");
    Ok(FOLD.replace("{fold}", &fold))
}

/// No character above has case: there are no letters but those of Chinese.
const LAST_CASED: char = '\u{1FFFF}';

/// Every character that folding changes.
fn cased() -> Vec<char> {
    ('\u{80}'..=LAST_CASED).filter(is_cased).collect()
}

/// Whether folding changes a character.
fn is_cased(character: &char) -> bool {
    let mut bytes = [0; 4];
    let text = character.encode_utf8(&mut bytes);
    fold(text) != *text
}

/// FNV-1a of 64 bits.
fn digest(texts: &[&str]) -> u64 {
    let bytes = texts.iter().flat_map(|text| text.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |digest, byte| {
        (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_with_case_is_passed_over() {
        assert_eq!((LAST_CASED..=char::MAX).find(is_cased), None);
    }
}
