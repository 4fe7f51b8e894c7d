//! A plan that may be run.

/// A plan that may be run as it stands: the caller's limits are part of it.
///
/// There is no way to change what is inside, and no way to make one but [`crate::decide`],
/// [`crate::decide_schema`] and [`Permit::system`].
#[derive(Clone, Debug)]
pub struct Permit<P> {
    plan: P,
}

impl<P> Permit<P> {
    pub(crate) fn granted(plan: P) -> Self {
        Self { plan }
    }

    /// For the system's own bookkeeping; `reason` says what for. `cargo xtask tidy` names the files that may.
    #[must_use]
    pub fn system(reason: &'static str, plan: P) -> Self {
        debug_assert!(!reason.is_empty());
        Self { plan }
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &P {
        &self.plan
    }

    /// The plan, given up by the permit; only `store` has a use for it.
    #[must_use]
    pub fn into_plan(self) -> P {
        self.plan
    }
}
