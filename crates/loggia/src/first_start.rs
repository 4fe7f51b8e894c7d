//! What the first start says: how to sign in, where the MCP server is, and what to paste into a client.

use crate::configuration::Administrator;
use loggia_identity::FirstAdministrator;
use serde_json::json;
use std::fmt::Write;

/// Whether assistants can connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum McpState {
    /// They can.
    On,
    /// The setting is off.
    Off,
    /// The configuration keeps it off.
    KeptOff,
    /// The configuration has taken it away.
    Unavailable,
}

/// The text. Secrets that were configured are known to whoever configured them, and are not repeated.
pub(crate) fn text(made: &FirstAdministrator, given: &Administrator, url: &str, mcp: McpState) -> String {
    let password = match given.password {
        Some(_) => "as configured in admin.password",
        None => made.password.reveal(),
    };
    let token = match given.token {
        Some(_) => "<the value of admin.token>",
        None => made.token.reveal(),
    };
    let client = json!({
        "mcpServers": {
            "loggia": { "url": format!("{url}/mcp"), "headers": { "Authorization": format!("Bearer {token}") } },
        },
    });
    let mut text = String::from(
        "\nThe first start has made an administrator. This is shown once: keep it.\n\nSign in\n",
    );
    let _ = writeln!(text, "  address   {url}/auth/login");
    let _ = writeln!(text, "  e-mail    {}", made.email);
    let _ = writeln!(text, "  password  {password}");
    let _ = writeln!(text, "\nMCP server\n  address   {url}/mcp");
    let _ = match mcp {
        McpState::On => writeln!(text, "  state     on"),
        McpState::Unavailable => writeln!(text, "  state     not available: mcp.available is false"),
        McpState::KeptOff => writeln!(text, "  state     off: mcp.enabled is false"),
        McpState::Off => writeln!(
            text,
            "  state     off. Switch it on in the settings:\n            \
             curl -X PATCH {url}/settings -H 'Content-Type: application/json' \\\n              \
             -H 'Authorization: Bearer {token}' -d '{{\"mcp_enabled\": true}}'\n            \
             or for good: start with LOGGIA_MCP__ENABLED=true"
        ),
    };
    let _ = writeln!(text, "\nConfiguration for MCP clients\n{client:#}\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use loggia_identity::Secret;

    fn made() -> FirstAdministrator {
        FirstAdministrator {
            id: "1".to_owned(),
            email: "a@b.c".to_owned(),
            password: Secret::new("the password"),
            token: Secret::new("the-token"),
        }
    }

    fn given(secrets: bool) -> Administrator {
        let secret = |text: &str| secrets.then(|| Secret::new(text));
        Administrator {
            email: "a@b.c".to_owned(),
            password: secret("the password"),
            token: secret("the-token"),
        }
    }

    #[test]
    fn generated_secrets_are_shown_and_configured_ones_are_not() {
        for (secrets, shown) in [(false, true), (true, false)] {
            let text = text(&made(), &given(secrets), "http://x:1", McpState::Off);
            assert_eq!(text.contains("the password"), shown, "{text}");
            assert_eq!(text.contains("Bearer the-token"), shown, "{text}");
            assert!(text.contains("  e-mail    a@b.c\n"), "{text}");
        }
    }

    #[test]
    fn the_client_configuration_can_be_pasted() {
        let text = text(&made(), &given(false), "http://x:1", McpState::On);
        let start = text.find("\n{").unwrap();
        let pasted: serde_json::Value = serde_json::from_str(text[start..].trim()).unwrap();
        assert_eq!(pasted["mcpServers"]["loggia"]["url"], "http://x:1/mcp");
        assert_eq!(
            pasted["mcpServers"]["loggia"]["headers"]["Authorization"],
            "Bearer the-token"
        );
    }

    #[test]
    fn it_says_whether_assistants_can_connect_and_how_to_change_that() {
        for (state, expect) in [
            (McpState::On, "state     on"),
            (McpState::Off, "\"mcp_enabled\": true"),
            (McpState::KeptOff, "mcp.enabled is false"),
            (McpState::Unavailable, "mcp.available is false"),
        ] {
            assert!(
                text(&made(), &given(false), "http://x:1", state).contains(expect),
                "{state:?}"
            );
        }
    }
}
