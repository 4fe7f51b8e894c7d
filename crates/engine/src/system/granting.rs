//! A narrowed access token gives nobody a policy that it does not have itself: not by a user's role, nor by what stands
//! above a role. Otherwise it would widen itself where it may write its owner's role, or make somebody who may do more.

use std::collections::{BTreeSet, HashMap};

use loggia_access::Caller;
use loggia_model::Problem;
use loggia_model::error::FORBIDDEN;

use super::administrators::{Stored, text};

/// Who holds policies.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Holder {
    User(String),
    Role(String),
    Public,
}

/// Who holds which policies.
#[derive(Debug)]
pub(super) struct Held(HashMap<Holder, BTreeSet<String>>);

impl Held {
    pub(super) fn of(stored: &Stored) -> Self {
        let mut own: HashMap<Holder, BTreeSet<String>> = HashMap::new();
        for access in stored.access() {
            let holder = match (text(access, "user"), text(access, "role")) {
                (Some(user), _) => Holder::User(user.to_owned()),
                (None, Some(role)) => Holder::Role(role.to_owned()),
                (None, None) => Holder::Public,
            };
            let policy = text(access, "policy").map(str::to_owned);
            own.entry(holder).or_default().extend(policy);
        }
        let parents = stored.parents();
        let inherited = |role: &str| {
            let mut held = BTreeSet::new();
            let mut next = Some(role);
            for _ in 0..=parents.len() {
                let Some(role) = next else { break };
                let of_role = own.get(&Holder::Role(role.to_owned()));
                held.extend(of_role.into_iter().flatten().cloned());
                next = parents.get(role).copied();
            }
            held
        };
        let mut all: HashMap<Holder, BTreeSet<String>> = HashMap::new();
        for id in stored.roles().iter().filter_map(|role| text(role, "id")) {
            all.insert(Holder::Role(id.to_owned()), inherited(id));
        }
        for user in stored.users() {
            let Some(id) = text(user, "id") else { continue };
            let holder = Holder::User(id.to_owned());
            let mut held = text(user, "role").map(inherited).unwrap_or_default();
            held.extend(own.get(&holder).into_iter().flatten().cloned());
            all.insert(holder, held);
        }
        let public = own.get(&Holder::Public).cloned();
        all.insert(Holder::Public, public.unwrap_or_default());
        Self(all)
    }

    /// # Errors
    /// When somebody holds a policy after the write that they did not hold before, and the caller does not.
    pub(super) fn grants_only_its_own(&self, caller: &Caller, after: &Self) -> Result<(), Problem> {
        for (holder, held) in &after.0 {
            let before = self.0.get(holder);
            let new = |policy: &&String| !before.is_some_and(|before| before.contains(*policy));
            if held.iter().filter(new).any(|policy| !caller.holds(policy)) {
                let message = "A narrowed access token grants nothing that it does not have itself.";
                return Err(Problem::new(&FORBIDDEN, message).hint("Use a token that has the policies which it hands out, or do it signed in (POST /auth/login)."));
            }
        }
        Ok(())
    }
}
