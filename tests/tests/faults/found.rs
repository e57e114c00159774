//! What the schedules have found, each as small as it became, and that they find anything.

use futures_util::{StreamExt, stream};

use crate::{
    campaign::play,
    deed::Deed,
    judge::Broken,
    schedule::{Door, Schedule},
    world::World,
};

/// The oracle sees what goes wrong without the journal: the same schedules, each run of which begins with an empty one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_journal_it_is_done_twice() {
    is_done_twice(Door::Library).await;
}

/// And so of a gateway that loses its database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_database_a_gateway_does_it_twice() {
    is_done_twice(Door::Gateway).await;
}

async fn is_done_twice(door: Door) {
    let world = World::new().await;
    let forgetful = (0..).map(|seed| Schedule { forgets: true, ..Schedule::random(door, seed) });
    let tempting = forgetful.filter(|schedule| {
        let is_killed = schedule.kills.iter().any(Option::is_some) && schedule.tries > 1;
        matches!(schedule.deed, Deed::Release | Deed::Create | Deed::Pay) && is_killed && schedule.is_strict()
    });
    let outcomes =
        stream::iter(tempting.take(24)).map(async |schedule| play(&world, &schedule).await).buffer_unordered(12);
    let broken = outcomes.flat_map(|outcome| stream::iter(outcome.broken)).map(|(kind, _)| kind);
    let twice = broken.filter(|kind| std::future::ready(*kind == Broken::Twice)).count().await;
    assert!(twice > 0, "nothing was done twice");
}
