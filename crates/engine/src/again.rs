//! Asking again: for what met rules that were no longer those it was made by, and for what another transaction got in
//! the way of. Nothing has been changed by then, whatever was attempted.

use std::sync::Arc;
use std::time::Duration;

use loggia_access::{Attribution, Caller};
use loggia_journal::Recorder;
use loggia_model::error::SERVICE_UNAVAILABLE;
use loggia_model::{Problem, Schema};
use loggia_store::Versions;

use crate::{Engine, Error};

/// What keeps changing under a request is changed in a loop; nobody waits for that.
const ATTEMPTS: u32 = 5;
/// The first wait for a transaction that is in the way; each is twice as long as the one before, and up to half of it
/// longer or shorter, so that those that met do not meet again.
const FIRST_WAIT: Duration = Duration::from_millis(10);

/// Attempts a block until it is done, or will never be; the block is as a function that answers with a `Result`.
macro_rules! again {
    ($engine:expr, $attempt:block) => {{
        let mut attempts = $crate::again::Attempts::default();
        loop {
            let outcome: Result<_, $crate::Error> = async { $attempt }.await;
            if let Some(done) = $engine.unless_again(&mut attempts, outcome.map(Some)).await? {
                break Ok(done);
            }
        }
    }};
}

pub(crate) use again;

/// The attempts at one thing.
pub(crate) struct Attempts {
    left: u32,
    wait: Duration,
}

/// What follows from an attempt.
enum Next<T> {
    /// It is done.
    Done(T),
    /// Another one, by what is known then.
    CatchUp,
    /// Another one, after about so long.
    Wait(Duration),
}

/// What one attempt hands on to the next.
pub(crate) struct Turn {
    /// Who asks, as far as is known by now.
    pub(crate) caller: Caller,
    /// The turn at the writer, once there is one.
    tx: Option<Recorder>,
}

impl Turn {
    /// Of somebody who has not waited yet.
    pub(crate) fn of(caller: &Caller) -> Self {
        Self {
            caller: caller.clone(),
            tx: None,
        }
    }

    /// Lets others have it.
    pub(crate) fn give_up(&mut self) {
        self.tx = None;
    }
}

impl Engine {
    /// Waits for the turn at the writer, or goes on with the one at hand. `None`: what is committed by now is not what the
    /// attempt goes by; the turn is kept for the next one, so that nothing can change before that.
    ///
    /// # Errors
    /// When the database cannot begin, and when who asks is nobody any more.
    pub(crate) async fn turn(
        &self,
        turn: &mut Turn,
        schema: &Arc<Schema>,
        known: Versions,
    ) -> Result<Option<Recorder>, Error> {
        let mut tx = match turn.tx.take() {
            Some(tx) => tx,
            None => self.begin(schema, &turn.caller).await?,
        };
        let found = tx.versions();
        let established = turn.caller.attribution().people;
        let is_known = established.is_none_or(|people| people == found.people);
        if !is_known {
            turn.caller = self.renewed(&turn.caller, found.people).await?;
        }
        if !is_known || found.schema != schema.version || found.rules != known.rules {
            turn.tx = Some(tx);
            return Ok(None);
        }
        tx.see(schema);
        tx.act_for(&turn.caller);
        Ok(Some(tx))
    }

    /// The same caller as they are by a version of who is who.
    async fn renewed(&self, caller: &Caller, people: u64) -> Result<Caller, Error> {
        let mut caller = caller.clone();
        for listener in &self.parts().listeners {
            caller = listener.again(&caller).await?;
        }
        let attribution = Attribution {
            people: Some(people),
            ..caller.attribution().clone()
        };
        Ok(caller.attributed(attribution))
    }

    /// What an attempt came to; `None`: another one is to be made, for which there is reason by now. `None` of the attempt:
    /// the schema or the permissions were others than those it was made by when its transaction began.
    ///
    /// # Errors
    /// As the attempt, where another one would be of no use; and where there were too many.
    pub(crate) async fn unless_again<T>(
        &self,
        attempts: &mut Attempts,
        outcome: Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        match attempts.next(outcome)? {
            Next::Done(done) => return Ok(Some(done)),
            Next::CatchUp => self.catch_up().await?,
            Next::Wait(time) => {
                let [dice] = self.parts().generator.bytes::<1>();
                tokio::time::sleep(about(time, dice)).await;
            }
        }
        Ok(None)
    }
}

impl Default for Attempts {
    fn default() -> Self {
        Self {
            left: ATTEMPTS,
            wait: FIRST_WAIT,
        }
    }
}

impl Attempts {
    fn next<T>(&mut self, outcome: Result<Option<T>, Error>) -> Result<Next<T>, Error> {
        self.left = self.left.saturating_sub(1);
        match outcome {
            Ok(Some(done)) => Ok(Next::Done(done)),
            Ok(None) if self.left > 0 => Ok(Next::CatchUp),
            Ok(None) => {
                let message = "The schema or the permissions keep changing.";
                let problem = Problem::new(&SERVICE_UNAVAILABLE, message);
                Err(problem.hint("Retry when it has settled.").into())
            }
            Err(Error::Store(loggia_store::Error::Contended(why))) if self.left > 0 => {
                tracing::debug!(%why, "another transaction got in the way; asking again");
                let wait = self.wait;
                self.wait *= 2;
                Ok(Next::Wait(wait))
            }
            Err(error) => Err(error),
        }
    }
}

/// A time between half of this one and one and a half times as much.
fn about(time: Duration, dice: u8) -> Duration {
    time / 2 + time * u32::from(dice) / 255
}

#[cfg(test)]
mod tests {
    use loggia_store::Error::{Cancelled, Contended};

    use super::*;

    #[test]
    fn what_can_succeed_is_attempted_again_a_few_times_and_the_rest_never() {
        let contended = || Err::<Option<()>, _>(Error::Store(Contended("a deadlock".into())));
        let mut attempts = Attempts::default();
        for millis in [10, 20, 40, 80] {
            let next = attempts.next(contended()).unwrap();
            assert!(matches!(next, Next::Wait(time) if time == Duration::from_millis(millis)));
        }
        let last = attempts.next(contended()).map(drop).unwrap_err();
        assert!(
            matches!(last, Error::Store(Contended(_))),
            "it is told in the end"
        );
        let mut attempts = Attempts::default();
        for _ in 1..ATTEMPTS {
            assert!(matches!(attempts.next::<()>(Ok(None)).unwrap(), Next::CatchUp));
        }
        assert!(attempts.next::<()>(Ok(None)).is_err());
        assert!(matches!(
            Attempts::default().next(Ok(Some(1))).unwrap(),
            Next::Done(1)
        ));
        let other = Attempts::default().next::<()>(Err(Error::Store(Cancelled)));
        assert!(matches!(other, Err(Error::Store(Cancelled))));
    }

    #[test]
    fn waits_are_spread() {
        let millis = |dice| about(Duration::from_millis(100), dice).as_millis();
        assert_eq!((millis(0), millis(255)), (50, 150));
    }
}
