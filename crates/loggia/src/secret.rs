//! The secret that signs, made once and kept in the data folder.

use anyhow::{Context, Result, bail};
use loggia_identity::Secret;
use loggia_model::Generator;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// What only the owner may read.
pub(crate) const OWNER_ONLY: u32 = 0o600;

/// Makes the data folder, for its owner alone, unless it is there.
///
/// # Errors
/// When it cannot be made.
pub(crate) fn make_folder(data: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data)
        .with_context(|| format!("cannot make the data folder {}", data.display()))
}

/// Reads the secret in `file`, or makes one of 32 random bytes as hexadecimal digits.
///
/// # Errors
/// When it can be neither read nor made, or is too short to sign with.
pub(crate) fn keep(file: &Path, generator: &Generator) -> Result<Secret> {
    if !file.try_exists().unwrap_or(true) {
        make(file, generator).with_context(|| format!("cannot make the secret in {}", file.display()))?;
    }
    read(file)
}

/// Reads the secret in `file`.
///
/// # Errors
/// When it cannot be read, or is too short to sign with.
pub(crate) fn read(file: &Path) -> Result<Secret> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read the secret in {}", file.display()))?;
    let text = text.trim();
    if text.len() < 32 {
        bail!(
            "the secret in {} is shorter than 32 characters: remove the file to have a new one made, which signs \
             everybody out",
            file.display()
        );
    }
    Ok(Secret::new(text))
}

/// Writes a new secret beside its place and links it there, so that a crash leaves none or a whole one, and of
/// two processes that start at once one wins and both read the same.
fn make(file: &Path, generator: &Generator) -> Result<()> {
    let fresh = file.with_extension(hex(&generator.bytes::<8>()));
    let mut writing = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(OWNER_ONLY)
        .open(&fresh)?;
    let written = writing
        .write_all(hex(&generator.bytes::<32>()).as_bytes())
        .and_then(|()| writing.sync_all())
        .and_then(|()| match fs::hard_link(&fresh, file) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        });
    fs::remove_file(&fresh)?;
    written?;
    // The name must survive a power loss, too.
    if let Some(folder) = file.parent() {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Whether others than the owner may read or write the file.
///
/// # Errors
/// When the file cannot be looked at.
pub(crate) fn open_to_others(file: &Path) -> std::io::Result<bool> {
    Ok(fs::metadata(file)?.permissions().mode() & 0o077 != 0)
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("a").join("data");
        make_folder(&data).unwrap();
        make_folder(&data).unwrap();
        let file = data.join("secret");
        let first = keep(&file, &Generator::seeded(1)).unwrap();
        let second = keep(&file, &Generator::seeded(2)).unwrap();
        assert_eq!(first.reveal(), second.reveal());
        assert_eq!(first.reveal().len(), 64);
        assert!(!open_to_others(&file).unwrap());
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            OWNER_ONLY
        );
        assert_eq!(
            fs::read_dir(&data).unwrap().count(),
            1,
            "nothing is left beside it"
        );
    }

    #[test]
    fn a_secret_that_is_too_short_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        fs::write(&file, "short").unwrap();
        assert!(
            keep(&file, &Generator::seeded(1))
                .unwrap_err()
                .to_string()
                .contains("shorter than 32")
        );
    }
}
