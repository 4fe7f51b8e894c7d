//! What makes connections with TLS.

use mysql_async::{ClientIdentity, SslOpts};

use crate::Error;
use crate::backends::remote::tls::{Check, Files};

/// A name that no certificate is for. The library recognises a certificate for another name by a word in the error's
/// text, which stands there with this name: what it knows not to forgive, it refuses.
const NOBODY: &str = "NotValidForName.invalid";

fn path(file: &str) -> std::path::PathBuf {
    std::path::PathBuf::from(file)
}

/// The library's options. Its own authorities are not used.
pub(super) fn options(check: Check, files: &Files) -> Result<SslOpts, Error> {
    let mut options = SslOpts::default();
    if check == Check::Nothing {
        options = options.with_danger_accept_invalid_certs(true);
    } else {
        let authorities = files.authorities()?.into_iter();
        options = options
            .with_disable_built_in_roots(true)
            .with_root_certs(authorities.map(|authority| authority.to_vec().into()).collect());
    }
    if check == Check::Authority {
        options = options
            .with_danger_skip_domain_validation(true)
            .with_danger_tls_hostname_override(Some(NOBODY));
    }
    // Read here, so that what is wrong with them is said at once.
    if files.identity()?.is_some()
        && let (Some(certificate), Some(key)) = (&files.certificate, &files.key)
    {
        let identity = ClientIdentity::new(path(certificate).into(), path(key).into());
        options = options.with_client_identity(Some(identity));
    }
    Ok(options)
}
