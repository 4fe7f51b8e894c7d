//! Cookies of signing in (RFC 6265bis): never readable by scripts.

use axum::http::HeaderValue;
use axum::http::header::SET_COOKIE;
use jiff::SignedDuration;
use loggia_identity::Secret;

use crate::answer::Refusal;
use crate::config::HttpConfig;

/// `Set-Cookie` with a secret.
pub(crate) fn set(
    config: &HttpConfig,
    name: &str,
    value: &Secret,
    lifetime: SignedDuration,
) -> Result<HeaderValue, Refusal> {
    let text = line(config, name, value.reveal(), lifetime.as_secs().max(0));
    let mut header = HeaderValue::from_str(&text)
        .map_err(|_| Refusal::internal(format!("the cookie {name} cannot be written as a header")))?;
    header.set_sensitive(true);
    Ok(header)
}

/// `Set-Cookie` that removes a cookie.
pub(crate) fn clear(config: &HttpConfig, name: &str) -> Result<HeaderValue, Refusal> {
    HeaderValue::from_str(&line(config, name, "", 0))
        .map_err(|_| Refusal::internal(format!("the cookie {name} cannot be written as a header")))
}

/// A refusal that also removes the session's cookie.
pub(crate) fn cleared(config: &HttpConfig, refusal: Refusal) -> Refusal {
    match clear(config, &config.cookies.session) {
        Ok(cookie) => refusal.header(SET_COOKIE, cookie),
        Err(_) => refusal,
    }
}

fn line(config: &HttpConfig, name: &str, value: &str, seconds: i64) -> String {
    let cookies = &config.cookies;
    let mut line = format!(
        "{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={}",
        cookies.same_site.name()
    );
    if cookies
        .secure
        .unwrap_or_else(|| config.public_url.starts_with("https://"))
    {
        line.push_str("; Secure");
    }
    if let Some(domain) = &cookies.domain {
        line.push_str("; Domain=");
        line.push_str(domain);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_out_of_reach_of_scripts_and_secure_over_https() {
        let mut config = HttpConfig::default();
        assert_eq!(
            line(&config, "a", "b", 60),
            "a=b; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"
        );
        config.public_url = "https://cms.example.com".to_owned();
        config.cookies.domain = Some("example.com".to_owned());
        assert_eq!(
            line(&config, "a", "", 0),
            "a=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure; Domain=example.com"
        );
    }
}
