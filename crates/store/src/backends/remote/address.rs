//! What addresses of servers have in common: the signs in them, and what they say of TLS.

use super::tls::{Check, Files};
use crate::Error;

/// What an address says of TLS.
#[derive(Default)]
pub(crate) struct Wanted {
    mode: Option<String>,
    pub(crate) files: Files,
}

/// Whether a connection is made with TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Safety {
    /// Never.
    Plain,
    /// Where the server offers it.
    Preferred,
    /// Always; and what is checked of the server's certificate.
    Required(Check),
}

impl Wanted {
    /// Whether a pair of the query is about TLS, and so is not left to others.
    pub(crate) fn take(&mut self, pair: &str) -> Result<bool, Error> {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let place = match name {
            "sslmode" => &mut self.mode,
            "sslrootcert" => &mut self.files.roots,
            "sslcert" => &mut self.files.certificate,
            "sslkey" => &mut self.files.key,
            _ => return Ok(false),
        };
        *place = Some(decoded(value).ok_or_else(|| {
            Error::Address(format!(
                "`{name}` in the address of the database is not encoded rightly"
            ))
        })?);
        Ok(true)
    }

    /// As libpq understands the modes: with a file of roots, `require` checks the certificate as well.
    pub(crate) fn safety(&self) -> Result<Safety, Error> {
        Ok(match self.mode.as_deref() {
            Some("disable") => Safety::Plain,
            None | Some("allow" | "prefer") => Safety::Preferred,
            Some("require") if self.files.roots.is_none() => Safety::Required(Check::Nothing),
            Some("require" | "verify-ca") => Safety::Required(Check::Authority),
            Some("verify-full") => Safety::Required(Check::AuthorityAndName),
            Some(other) => {
                return Err(Error::Address(format!(
                    "`sslmode={other}` in the address of the database is not known: use disable, prefer, require, verify-ca or verify-full"
                )));
            }
        })
    }
}

impl Safety {
    /// What is checked of a server's certificate, where TLS is not ruled out.
    pub(crate) fn check(self) -> Option<Check> {
        match self {
            Self::Plain => None,
            Self::Preferred => Some(Check::Nothing),
            Self::Required(check) => Some(check),
        }
    }
}

/// Signs that mean something in an address and stand in a password as they are would make part of it a host or an
/// option, which are shown. `what`: the database, for the error.
pub(crate) fn check_signs(what: &str, base: &str, query: &str) -> Result<(), Error> {
    let place = base.split_once("://").map_or(base, |(_, place)| place);
    if place.matches('@').count() > 1 || query.contains('@') || base.contains('#') {
        return Err(Error::Address(format!(
            "the address of the {what} database cannot be read: in its user and password, the signs : / ? # @ and % \
             must be written as %3A %2F %3F %23 %40 and %25"
        )));
    }
    Ok(())
}

/// Percent-encoding (RFC 3986 §2.1) undone; `None` where it is broken.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// How a connection is protected, in words.
pub(crate) fn described(tls: Option<&str>, check: Option<Check>) -> String {
    match (tls, check) {
        (None, _) => "without TLS".to_owned(),
        (Some(version), Some(Check::AuthorityAndName)) => {
            format!("{version}, the server's certificate checked")
        }
        (Some(version), Some(Check::Authority)) => {
            format!("{version}, the authority of the server's certificate checked")
        }
        (Some(version), _) => format!("{version}, the server's certificate not checked"),
    }
}

/// What may happen on the way to a server on another machine, and what is to be done about it.
pub(crate) fn doubt(tls: Option<&str>, check: Option<Check>, is_local: bool) -> Option<String> {
    if is_local || check == Some(Check::AuthorityAndName) {
        return None;
    }
    let what = match tls {
        None => "what is sent to the server and back can be read on its way",
        Some(_) => "somebody on the way could pass for the server",
    };
    Some(format!("{what}: add sslmode=verify-full to the address"))
}
