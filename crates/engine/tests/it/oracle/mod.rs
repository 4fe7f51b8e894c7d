//! Nothing leaks: whatever anybody asks is answered as an administrator's question to a copy of the data would be, from
//! which everything is gone that is not for them. The copy and the answer are worked out here, plainly and on their
//! own: nothing of `access` or of the engine's queries is used for it.

mod answers;
mod asking;
mod building;
mod comparing;
mod conditions;
mod copy;
mod dice;
mod expected;
mod making;
mod requests;
mod rights;
mod shrinking;
mod validation;
mod values;
mod world;
mod writing;

use copy::Copy;
use dice::Dice;
use shrinking::Case;
use world::World;

/// So many questions are asked to each world.
const QUESTIONS: usize = 240;

#[tokio::test]
async fn everybody_is_answered_by_their_own_copy() {
    let cases: usize = std::env::var("LOGGIA_ORACLE_CASES").map_or(3_000, |cases| cases.parse().unwrap());
    let first: u64 = std::env::var("LOGGIA_ORACLE_SEED").map_or(1, |seed| seed.parse().unwrap());
    let (mut asked, mut refused, mut seed) = (0, 0, first);
    while asked < cases {
        let world = making::world(seed);
        let (questions, refusals) = ask(&world).await;
        asked += questions;
        refused += refusals;
        seed += 1;
    }
    // Refusals are compared as well, but prove little.
    assert!(refused * 10 < asked * 6, "{refused} of {asked} were refused");
    eprintln!(
        "{asked} answers compared, {refused} of them refusals, in {} worlds",
        seed - first
    );
}

#[tokio::test]
async fn what_is_written_is_what_may_be_written() {
    let cases: usize = std::env::var("LOGGIA_ORACLE_CASES").map_or(3_000, |cases| cases.parse().unwrap());
    let first: u64 = std::env::var("LOGGIA_ORACLE_SEED").map_or(1, |seed| seed.parse().unwrap());
    let worlds = cases.div_ceil(QUESTIONS) as u64;
    let mut counts = [0; 3];
    for seed in first..first + worlds {
        let more = writing::attempts(seed, QUESTIONS / 4).await;
        counts
            .iter_mut()
            .zip(more)
            .for_each(|(count, more)| *count += more);
    }
    let [tried, done, nested] = counts;
    // Refusals are compared as well, but prove little.
    assert!(
        done * 10 > tried && nested * 50 > tried,
        "{done} of {tried} were done, {nested} of them nested"
    );
    eprintln!("{tried} writes tried, {done} of them done, {nested} with items nested in them");
}

/// Asks a world; how many answers were compared, and how many were refusals.
async fn ask(world: &World) -> (usize, usize) {
    let engine = building::build(world).await;
    let full = Copy::full(world);
    let mut dice = Dice::new(world.seed ^ 0xA5A5);
    let (mut asked, mut refused) = (0, 0);
    for who in &world.callers {
        let copy = Copy::masked(world, who);
        let caller = building::caller(who);
        for _ in 0..QUESTIONS / world.callers.len() {
            let names = if dice.chance(85) { &copy } else { &full };
            let Some(question) = asking::question(&mut dice, names, &full) else {
                continue;
            };
            match comparing::compare(&engine, &caller, who, &copy, &full, &question).await {
                Ok(verdict) => {
                    asked += usize::from(verdict != comparing::Verdict::Unsure);
                    refused += usize::from(verdict == comparing::Verdict::Refused);
                }
                Err(_) => {
                    let case = Case {
                        world: world.clone(),
                        who: who.clone(),
                        question,
                    };
                    panic!("{}", case.shrunk().await);
                }
            }
        }
    }
    (asked, refused)
}
