//! Transactions: whole or not at all, grouped, given up, and out of the readers' way.

use std::sync::Arc;
use std::time::Duration;

use loggia_model::filter::{Operand, Place, Test};
use loggia_model::plan::{Plan, ReadPlan, Sort};
use loggia_model::{Filter, Scalar};
use loggia_store::{Error, Options};
use serde_json::{Value, json};

use super::world::{World, newspaper, opened, options, permit, run};

async fn authors(world: &World) -> Vec<Value> {
    let rows = world.rows(world.read("authors", &["name"])).await;
    rows.into_iter().map(|mut row| row["name"].take()).collect()
}

fn author(world: &World, name: &str) -> Plan {
    world.insert("authors", &[&[("name", json!(name))]])
}

#[tokio::test]
async fn a_dropped_transaction_leaves_nothing_and_a_failed_plan_leaves_the_rest() {
    let Some(world) = newspaper().await else { return };
    let mut tx = world.store.begin().await.unwrap();
    run(&mut tx, author(&world, "Ann")).await.unwrap();
    drop(tx);
    let mut tx = world.store.begin().await.unwrap();
    run(&mut tx, author(&world, "Bob")).await.unwrap();
    let both = world.insert("authors", &[&[("name", json!("Cid"))], &[("name", json!("Bob"))]]);
    run(&mut tx, both).await.unwrap_err();
    let seen = run(&mut tx, Plan::Read(world.read("authors", &["name"])))
        .await
        .unwrap();
    assert_eq!(seen.into_rows().len(), 1, "it reads what it wrote");
    assert_eq!(authors(&world).await, Vec::<Value>::new(), "others do not");
    tx.commit().await.unwrap();
    assert_eq!(authors(&world).await, [json!("Bob")]);
}

#[tokio::test]
async fn what_does_nothing_costs_nobody_anything() {
    let Some(world) = newspaper().await else { return };
    for more in [false, true] {
        let mut tx = world.store.begin().await.unwrap();
        let outcome = run(&mut tx, world.insert("authors", &[])).await.unwrap();
        assert!(outcome.into_keys().is_empty());
        if more {
            run(&mut tx, author(&world, "Ann")).await.unwrap();
            run(&mut tx, world.insert("authors", &[])).await.unwrap();
            run(&mut tx, author(&world, "Bob")).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
    drop(world.store.begin().await.unwrap());
    assert_eq!(authors(&world).await, [json!("Ann"), json!("Bob")]);
}

#[tokio::test]
async fn plans_run_together_are_all_kept_or_none() {
    let Some(world) = newspaper().await else { return };
    let names = || Plan::Read(world.read("authors", &["name"]));
    let together = |plans: Vec<Plan>| plans.into_iter().map(permit).collect::<Vec<_>>();
    let mut tx = world.store.begin().await.unwrap();
    assert_eq!(tx.run_all(Vec::new()).await.unwrap(), []);
    let plans = together(vec![
        author(&world, "Ann"),
        names(),
        author(&world, "Bob"),
        names(),
    ]);
    let outcomes = tx.run_all(plans).await.unwrap();
    let counts: Vec<_> = outcomes
        .iter()
        .cloned()
        .map(|outcome| outcome.into_rows().len())
        .collect();
    assert_eq!(counts, [0, 1, 0, 2], "each sees what those before it wrote");
    // The last of them fails: what the others wrote goes, what was there before stays.
    let plans = together(vec![author(&world, "Cid"), names(), author(&world, "Ann")]);
    let error = tx.run_all(plans).await.unwrap_err();
    assert!(matches!(error, Error::Unique { .. }), "{error}");
    run(&mut tx, author(&world, "Dan")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(authors(&world).await, [json!("Ann"), json!("Bob"), json!("Dan")]);
}

#[tokio::test]
async fn concurrent_transactions_share_commits() {
    let Some(world) = newspaper().await else { return };
    let world = Arc::new(world);
    let before = world.store.activity();
    let tasks: Vec<_> = (0..100)
        .map(|i| {
            let world = world.clone();
            tokio::spawn(async move {
                // Every fourth fails and every fifth is dropped: the others of its group do not notice.
                let name = if i % 4 == 0 {
                    "Ann".to_owned()
                } else {
                    format!("a{i}")
                };
                let mut tx = world.store.begin().await.unwrap();
                let outcome = run(&mut tx, author(&world, &name)).await;
                if i % 5 == 0 {
                    drop(tx);
                    return false;
                }
                tx.commit().await.unwrap();
                outcome.is_ok()
            })
        })
        .collect();
    let mut kept = 0;
    for task in tasks {
        kept += usize::from(task.await.unwrap());
    }
    assert_eq!(authors(&world).await.len(), kept);
    let after = world.store.activity();
    let (transactions, commits) = (
        after.transactions - before.transactions,
        after.commits - before.commits,
    );
    assert_eq!(transactions, 80);
    assert!(
        commits < transactions / 2,
        "{commits} commits for {transactions} transactions"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_transaction_after_the_other_is_never_taken_for_an_abandoned_one() {
    let Some(world) = newspaper().await else { return };
    for i in 0..3_000 {
        let mut tx = world.store.begin().await.unwrap();
        run(&mut tx, author(&world, &format!("a{i}"))).await.unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn readers_do_not_wait_for_a_writer() {
    let Some(world) = newspaper().await else { return };
    let mut tx = world.store.begin().await.unwrap();
    for i in 0..50 {
        run(&mut tx, author(&world, &format!("a{i}"))).await.unwrap();
        assert_eq!(authors(&world).await.len(), 0);
    }
    tx.commit().await.unwrap();
    assert_eq!(authors(&world).await.len(), 50);
}

#[tokio::test]
async fn plans_together_see_one_snapshot() {
    let Some(world) = newspaper().await else { return };
    let world = Arc::new(world);
    let writer = {
        let world = world.clone();
        tokio::spawn(async move {
            for i in 0..50 {
                let mut tx = world.store.begin().await.unwrap();
                run(&mut tx, author(&world, &format!("a{i}"))).await.unwrap();
                let article = world.insert("articles", &[&[("title", json!("x"))]]);
                run(&mut tx, article).await.unwrap();
                tx.commit().await.unwrap();
            }
        })
    };
    while !writer.is_finished() {
        let plans = ["authors", "articles"].map(|name| permit(Plan::Read(world.read(name, &["id"]))));
        let outcomes = world.store.run_all(plans.into()).await.unwrap();
        let counts: Vec<_> = outcomes
            .into_iter()
            .map(|outcome| outcome.into_rows().len())
            .collect();
        assert_eq!(counts[0], counts[1]);
    }
    writer.await.unwrap();
}

/// A store with one reading thread, and a read that takes hours.
async fn endless() -> Option<(World, ReadPlan)> {
    let world = opened(|url| Options {
        readers: 1,
        ..options(url)
    });
    let world = world.await?.with_newspaper().await?;
    let row: &[(&str, Value)] = &[("collection", json!("authors")), ("item", json!("x".repeat(200)))];
    world
        .write(world.insert("blocks", &vec![row; 5_000]))
        .await
        .unwrap();
    let title: &[(&str, Value)] = &[("title", json!("t"))];
    world
        .write(world.insert("articles", &vec![title; 5_000]))
        .await
        .unwrap();
    // 25 million matches of text, hours of work in all.
    let mut endless = world.read("articles", &["id"]);
    let mut step = world.step("articles.blocks", None);
    let relation = Arc::make_mut(&mut step.relation);
    relation.many_field = "collection".to_owned();
    let never = world.test(
        "blocks.item",
        Test::Text {
            at: Place::Anywhere,
            piece: "y".repeat(100),
            ignore_case: true,
            negated: true,
        },
    );
    relation.one_collection = Some("articles".to_owned());
    relation.foreign_key = Some(loggia_model::schema::ForeignKey {
        column: "collection".to_owned(),
        foreign_table: "articles".to_owned(),
        foreign_column: "status".to_owned(),
        on_update: loggia_model::schema::Action::NoAction,
        on_delete: loggia_model::schema::Action::NoAction,
    });
    world
        .write(world.update("articles", Filter::All, &[("status", json!("authors"))]))
        .await
        .unwrap();
    endless.sort = vec![Sort {
        operand: Operand::Count {
            step,
            filter: Box::new(never),
        },
        descending: false,
    }];
    Some((world, endless))
}

#[tokio::test]
async fn long_reads_hold_nobody_up() {
    let Some((world, endless)) = endless().await else {
        return;
    };
    let long = || world.store.run(permit(Plan::Read(endless.clone())));
    tokio::select! {
        biased;
        outcome = long() => panic!("it ended: {outcome:?}"),
        outcome = long() => panic!("it ended: {outcome:?}"),
        () = async {
            for _ in 0..50 {
                assert_eq!(authors(&world).await.len(), 0);
            }
        } => {}
    }
}

#[tokio::test]
async fn a_read_that_nobody_waits_for_frees_its_thread() {
    let Some((world, endless)) = endless().await else {
        return;
    };
    for _ in 0..3 {
        let abandoned = world.store.run(permit(Plan::Read(endless.clone())));
        tokio::select! {
            biased;
            outcome = abandoned => panic!("it ended: {outcome:?}"),
            () = async { for _ in 0..1_000 { tokio::task::yield_now().await } } => {}
        }
        assert_eq!(world.rows(world.read("authors", &["id"])).await.len(), 0);
    }
    // The same inside a transaction: the writer is free for the next.
    let mut tx = world.store.begin().await.unwrap();
    tokio::select! {
        biased;
        outcome = run(&mut tx, Plan::Read(endless)) => panic!("it ended: {outcome:?}"),
        () = async { for _ in 0..1_000 { tokio::task::yield_now().await } } => {}
    }
    let error = run(&mut tx, Plan::Read(world.read("authors", &["id"])))
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Cancelled), "what it did is unknown");
    drop(tx);
    world.write(author(&world, "Ann")).await.unwrap();
}

#[tokio::test]
async fn a_transaction_left_idle_is_rolled_back_and_the_next_runs() {
    let world = opened(|url| Options {
        idle: Duration::from_millis(500),
        ..options(url)
    });
    let Some(world) = world.await else { return };
    let Some(world) = world.with_newspaper().await else {
        return;
    };
    let mut idle = world.store.begin().await.unwrap();
    run(&mut idle, author(&world, "Ann")).await.unwrap();
    world.write(author(&world, "Bob")).await.unwrap();
    let error = run(&mut idle, author(&world, "Cid")).await.unwrap_err();
    assert!(matches!(error, Error::Stalled { .. }), "{error}");
    assert!(matches!(idle.commit().await.unwrap_err(), Error::Stalled { .. }));
    assert_eq!(authors(&world).await, [json!("Bob")]);
}

#[tokio::test]
async fn a_row_count_beyond_every_bound_of_sql_is_no_bound() {
    let Some(world) = newspaper().await else { return };
    let keys: Vec<_> = (0..100_000).map(Scalar::Int).collect();
    world.write(author(&world, "Ann")).await.unwrap();
    let mut plan = world.read("authors", &["name"]);
    plan.filter = world.test("authors.id", Test::In(keys));
    plan.limit = Some(u64::MAX);
    assert_eq!(world.rows(plan).await.len(), 1);
}
