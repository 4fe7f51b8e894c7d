//! Secrets are never stored as they were sent.

use loggia_model::validation::failure;
use loggia_model::{Problems, Scalar};

use super::draft::Draft;
use super::payload::MASK;
use crate::Hasher;

/// Hashes passwords and other `hash` values, and replaces tokens by what they are looked up by.
///
/// # Errors
/// What the password policy says.
pub(crate) async fn conceal(hasher: &dyn Hasher, drafts: &mut [Draft]) -> Result<(), Problems> {
    let mut problems = Problems::default();
    for assigned in drafts.iter_mut().flat_map(Draft::every_value) {
        let field = &assigned.field;
        let Some(secret) = assigned.scalar.as_text().map(str::to_owned) else {
            continue;
        };
        let name = (field.collection.as_str(), field.name.as_str());
        let stored = match name {
            ("directus_users", "token") => Ok(hasher.fingerprint(&secret)),
            ("directus_settings", "auth_password_policy") => {
                if !hasher.is_policy(&secret) {
                    let text = "Value has to be a regular expression.";
                    let problem = failure("auth_password_policy", "regex", text, None).at(&assigned.path);
                    problems.push(problem.hint("For example /^.{8,}$/: at least eight characters."));
                }
                continue;
            }
            ("directus_users", "password") => hasher.hash_password(&secret).await,
            // A hash that is sent as it was read must not be hashed again.
            _ if (field.has_special("hash") || field.ty.name() == "hash") && secret != MASK => {
                hasher.hash(&secret).await
            }
            _ => continue,
        };
        match stored {
            Ok(stored) => assigned.scalar = Scalar::Text(stored),
            Err(refused) => {
                for problem in refused.0 {
                    problems.push(problem.at(&assigned.path));
                }
            }
        }
    }
    problems.or(())
}
