//! TLS as `sslmode` asks for it: without a check of the certificate, with one of who has signed it, or of the host's
//! name as well.

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::Error;

/// What is checked of a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// Nothing: the connection is secret, but may be to somebody else.
    Nothing,
    /// Who has signed it.
    Authority,
    /// And that it is the host's.
    AuthorityAndName,
}

/// Files in PEM that an address names.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// Authorities; without it, or with `system`, those of the machine.
    pub(crate) roots: Option<String>,
    /// Our own certificate.
    pub(crate) certificate: Option<String>,
    /// Its key.
    pub(crate) key: Option<String>,
}

impl Files {
    /// The authorities.
    pub(crate) fn authorities(&self) -> Result<Vec<CertificateDer<'static>>, Error> {
        match self.roots.as_deref() {
            None | Some("system") => {
                let found = rustls_native_certs::load_native_certs().certs;
                // A machine may have some that nobody can read.
                let readable = |certificate: &CertificateDer<'static>| {
                    RootCertStore::empty().add(certificate.clone()).is_ok()
                };
                Ok(found.into_iter().filter(readable).collect())
            }
            Some(file) => certificates(file),
        }
    }

    /// Our own certificate with its key, where both are named.
    pub(crate) fn identity(
        &self,
    ) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>, Error> {
        match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Ok(Some((certificates(certificate)?, private_key(key)?))),
            _ => Ok(None),
        }
    }
}

fn certificates(file: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    read.map_err(|error| refused(format!("the certificates in {file} cannot be read: {error}")))
}

fn private_key(file: &str) -> Result<PrivateKeyDer<'static>, Error> {
    PrivateKeyDer::from_pem_file(file)
        .map_err(|error| refused(format!("the key in {file} cannot be read: {error}")))
}

/// TLS as the address wants it cannot be.
pub(crate) fn refused(why: impl std::fmt::Display) -> Error {
    Error::Address(format!("the database cannot be reached by TLS: {why}"))
}
