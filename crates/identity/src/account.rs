//! A user with what decides its rights: the role, the roles above it, and the policies attached to any of them.

use std::collections::HashMap;
use std::net::IpAddr;

use loggia_access::{Attribution, Caller, Claims, IpAccess, Layer, Origin};
use loggia_model::Record;
use serde_json::Value;

use crate::access_token::AccessToken;

/// Deeper role trees are cut here.
const MAX_ANCESTORS: usize = 64;

/// A user, or the public.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    /// The key in `directus_users`; `None`: the public.
    pub(crate) user: Option<String>,
    /// May sign in and call.
    pub(crate) active: bool,
    /// The user's role.
    pub(crate) role: Option<String>,
    /// The role and its ancestors, nearest first.
    pub(crate) roles: Vec<String>,
    /// Whether a second factor is set up.
    pub(crate) has_second_factor: bool,
    policies: Vec<Policy>,
}

#[derive(Clone, Debug)]
struct Policy {
    id: String,
    admin: bool,
    app: bool,
    second_factor: bool,
    addresses: Option<IpAccess>,
}

impl Policy {
    fn applies(&self, ip: Option<IpAddr>) -> bool {
        self.addresses.as_ref().is_none_or(|list| list.admits(ip))
    }
}

/// The policies that an access token names: those of them that exist.
#[derive(Clone, Debug)]
pub(crate) struct Narrowing(Vec<Policy>);

impl Narrowing {
    /// The policies with these keys. One that is gone grants nothing.
    pub(crate) fn of(keys: &[String], rows: &RightsRows) -> Self {
        Self(read_policies(rows, keys))
    }

    fn layer(&self, ip: Option<IpAddr>) -> Layer {
        layer(self.0.iter().filter(|policy| policy.applies(ip)))
    }

    fn has_app_access(&self, ip: Option<IpAddr>) -> bool {
        self.0
            .iter()
            .any(|policy| policy.applies(ip) && (policy.app || policy.admin))
    }
}

/// By what a caller is known besides the account.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct By<'a> {
    /// The session.
    pub(crate) session: Option<&'a str>,
    /// The access token.
    pub(crate) token: Option<&'a AccessToken>,
}

/// Through which door a request came, and from where.
#[derive(Clone, Debug)]
pub struct RequestFacts {
    /// Through which door.
    pub origin: Origin,
    /// From which address.
    pub ip: Option<IpAddr>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// What is recorded with what the request changes.
    pub attribution: Attribution,
}

impl RequestFacts {
    /// A door without addresses.
    #[must_use]
    pub fn local(origin: Origin) -> Self {
        Self {
            origin,
            ip: None,
            user_agent: None,
            attribution: Attribution::default(),
        }
    }
}

/// The rows that decide about accounts, read in one snapshot.
#[derive(Debug, Default)]
pub(crate) struct RightsRows {
    /// `id`, `parent`.
    pub(crate) roles: Vec<Record>,
    /// `user`, `role`, `policy`.
    pub(crate) access: Vec<Record>,
    /// `id`, `admin_access`, `app_access`, `enforce_tfa`, `ip_access`.
    pub(crate) policies: Vec<Record>,
}

impl Account {
    /// Puts the rows of a user together.
    pub(crate) fn of_user(user: &Record, rows: &RightsRows) -> Self {
        let id = text(user, "id");
        let role = text(user, "role");
        let roles = role
            .as_deref()
            .map_or_else(Vec::new, |role| lineage(role, &rows.roles));
        let policies = policies(rows, |attached_user, attached_role| {
            match (attached_user, attached_role) {
                (Some(user), _) => Some(user) == id.as_deref(),
                (None, Some(role)) => roles.iter().any(|own| own == role),
                // What is attached to nobody is for callers that did not sign in.
                (None, None) => false,
            }
        });
        Self {
            active: text(user, "status").as_deref() == Some("active"),
            has_second_factor: text(user, "tfa_secret").is_some_and(|secret| !secret.is_empty()),
            user: id,
            role,
            roles,
            policies,
        }
    }

    /// What applies to everybody who is not signed in.
    pub(crate) fn public(rows: &RightsRows) -> Self {
        Self {
            active: true,
            policies: policies(rows, |user, role| user.is_none() && role.is_none()),
            ..Self::default()
        }
    }

    /// Whether everything is allowed from this address. The public never is an administrator.
    pub(crate) fn is_admin(&self, ip: Option<IpAddr>) -> bool {
        self.user.is_some() && self.applying(ip).any(|policy| policy.admin)
    }

    /// Whether everything is allowed from some address.
    pub(crate) fn administers(&self) -> bool {
        self.user.is_some() && self.policies.iter().any(|policy| policy.admin)
    }

    /// Whether the Studio may be used from this address.
    pub(crate) fn has_app_access(&self, ip: Option<IpAddr>) -> bool {
        self.user.is_some() && self.applying(ip).any(|policy| policy.app || policy.admin)
    }

    /// Whether a second factor is demanded at this address.
    pub(crate) fn demands_second_factor(&self, ip: Option<IpAddr>) -> bool {
        self.user.is_some() && self.applying(ip).any(|policy| policy.second_factor)
    }

    /// The caller of one request.
    pub(crate) fn caller(&self, by: By<'_>, facts: RequestFacts) -> Caller {
        let ip = facts.ip;
        let own = Layer {
            admin: self.is_admin(ip),
            ..layer(self.applying(ip))
        };
        let policies = own.policies.clone();
        let narrowing = by.token.and_then(|token| token.narrowing.as_ref());
        let narrower = narrowing.map(|narrowing| narrowing.layer(ip));
        let app_access = self.has_app_access(ip) && narrowing.is_none_or(|one| one.has_app_access(ip));
        Caller::established(Claims {
            user: self.user.clone(),
            role: self.role.clone(),
            roles: self.roles.clone(),
            layers: std::iter::once(own).chain(narrower).collect(),
            policies,
            token: by.token.map(|token| token.facts.clone()),
            app_access,
            session: by.session.map(str::to_owned),
            origin: facts.origin,
            ip,
            user_agent: facts.user_agent,
        })
        .attributed(facts.attribution)
    }

    /// Nobody in particular, who may do everything: the server itself, and whoever may read the data folder.
    pub(crate) fn operator(origin: Origin) -> Caller {
        Caller::established(Claims {
            user: None,
            role: None,
            roles: Vec::new(),
            layers: vec![Layer {
                policies: Vec::new(),
                admin: true,
            }],
            policies: Vec::new(),
            token: None,
            app_access: false,
            session: None,
            origin,
            ip: None,
            user_agent: None,
        })
    }

    fn applying(&self, ip: Option<IpAddr>) -> impl Iterator<Item = &Policy> {
        self.policies.iter().filter(move |policy| policy.applies(ip))
    }
}

/// A layer of these policies, their keys in order.
fn layer<'a>(policies: impl Iterator<Item = &'a Policy>) -> Layer {
    let mut layer = Layer::default();
    for policy in policies {
        layer.admin |= policy.admin;
        layer.policies.push(policy.id.clone());
    }
    layer.policies.sort_unstable();
    layer
}

/// A role and the roles above it, nearest first; a circle ends where it closes.
pub(crate) fn lineage(role: &str, rows: &[Record]) -> Vec<String> {
    let parents: HashMap<String, Option<String>> = rows
        .iter()
        .filter_map(|row| Some((text(row, "id")?, text(row, "parent"))))
        .collect();
    let mut line = Vec::new();
    let mut next = Some(role.to_owned());
    while let Some(role) = next {
        if line.len() >= MAX_ANCESTORS || line.contains(&role) || !parents.contains_key(&role) {
            break;
        }
        next = parents.get(&role).cloned().flatten();
        line.push(role);
    }
    line
}

/// The policies whose attachment (user, role) is `wanted`, each once.
fn policies(rows: &RightsRows, wanted: impl Fn(Option<&str>, Option<&str>) -> bool) -> Vec<Policy> {
    let attached: Vec<String> = rows
        .access
        .iter()
        .filter(|row| wanted(text_of(row, "user"), text_of(row, "role")))
        .filter_map(|row| text(row, "policy"))
        .collect();
    read_policies(rows, &attached)
}

/// The policies with these keys, each once.
fn read_policies(rows: &RightsRows, keys: &[String]) -> Vec<Policy> {
    rows.policies
        .iter()
        .filter_map(|row| {
            let id = text(row, "id")?;
            keys.contains(&id).then(|| Policy {
                admin: flag(row, "admin_access"),
                app: flag(row, "app_access"),
                second_factor: flag(row, "enforce_tfa"),
                addresses: IpAccess::read(list(row.get("ip_access"))),
                id,
            })
        })
        .collect()
}

fn text_of<'a>(row: &'a Record, name: &str) -> Option<&'a str> {
    row.get(name).and_then(Value::as_str)
}

/// A text column of a row.
pub(crate) fn text(row: &Record, name: &str) -> Option<String> {
    text_of(row, name).map(str::to_owned)
}

/// A truth column of a row.
pub(crate) fn flag(row: &Record, name: &str) -> bool {
    row.get(name).and_then(Value::as_bool).unwrap_or(false)
}

/// A list column of a row: a JSON array, or text with commas.
pub(crate) fn list(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) => text.split(',').collect(),
        Some(Value::Array(entries)) => entries.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows(value: Value) -> Vec<Record> {
        value
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row.as_object().unwrap().clone())
            .collect()
    }

    fn house() -> RightsRows {
        RightsRows {
            roles: rows(json!([
                {"id": "top", "parent": null}, {"id": "mid", "parent": "top"}, {"id": "low", "parent": "mid"},
                {"id": "a", "parent": "b"}, {"id": "b", "parent": "a"},
            ])),
            access: rows(json!([
                {"user": null, "role": "top", "policy": "admin"},
                {"user": null, "role": "mid", "policy": "app"},
                {"user": "u1", "role": null, "policy": "own"},
                {"user": "u9", "role": null, "policy": "admin"},
                {"user": null, "role": null, "policy": "public"},
                {"user": null, "role": "a", "policy": "office"},
            ])),
            policies: rows(json!([
                {"id": "admin", "admin_access": true, "app_access": true, "ip_access": null},
                {"id": "app", "admin_access": false, "app_access": true, "ip_access": []},
                {"id": "own", "admin_access": false, "app_access": false, "ip_access": ""},
                {"id": "public", "admin_access": true, "app_access": true, "ip_access": null},
                {"id": "office", "admin_access": true, "app_access": false, "ip_access": ["10.0.0.0/8"]},
            ])),
        }
    }

    fn user(id: &str, role: Option<&str>) -> Account {
        let row = json!({"id": id, "role": role, "status": "active"});
        Account::of_user(row.as_object().unwrap(), &house())
    }

    #[test]
    fn policies_come_from_the_user_the_role_and_its_ancestors() {
        let check = |account: &Account, expect: &[&str]| {
            let caller = account.caller(By::default(), RequestFacts::local(Origin::Rest));
            let mut policies = caller.claims().policies.clone();
            policies.sort_unstable();
            assert_eq!(policies, expect);
        };
        check(&user("u1", None), &["own"]);
        check(&user("u2", Some("low")), &["admin", "app"]);
        check(&user("u2", Some("gone")), &[]);
        check(&Account::public(&house()), &["public"]);
        assert_eq!(user("u2", Some("low")).roles, ["low", "mid", "top"]);
        assert_eq!(user("u2", Some("a")).roles, ["a", "b"]);
    }

    #[test]
    fn the_public_is_never_an_administrator() {
        assert!(!Account::public(&house()).is_admin(None));
        assert!(user("u2", Some("low")).is_admin(None));
    }

    #[test]
    fn a_policy_with_addresses_applies_from_there_only() {
        let account = user("u3", Some("b"));
        assert!(account.is_admin(Some([10, 1, 1, 1].into())));
        assert!(!account.is_admin(Some([11, 1, 1, 1].into())));
        assert!(!account.is_admin(None));
    }
}
