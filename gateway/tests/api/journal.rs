//! The journal in the database does what a sender relies on.

use escrow_client::sender::conformance;
use escrow_gateway::{store::Store, submit::Journal};
use tokio::sync::Mutex;

use crate::harness::{Database, databases, run, sqlite};

#[test]
fn the_journal_conforms_on_both() {
    run(async {
        for first in databases() {
            let is_postgres = first.url.starts_with("postgres");
            // An empty database for each test of the suite, opened twice.
            let opened: Mutex<Vec<(&'static str, Database)>> = Mutex::default();
            let open = |name: &'static str| {
                let opened = &opened;
                async move {
                    let mut opened = opened.lock().await;
                    if !opened.iter().any(|(known, _)| *known == name) {
                        let database =
                            if is_postgres { databases().into_iter().next_back().expect("Postgres") } else { sqlite() };
                        opened.push((name, database));
                    }
                    let (_, database) = opened.iter().find(|(known, _)| *known == name).expect("it was opened");
                    Journal::new(Store::open(&database.url, 2).await.expect("a database"))
                }
            };
            let passed = conformance::all(open).await.unwrap_or_else(|failure| panic!("{}: {failure}", first.url));
            println!("{} conformance tests on {}", passed.len(), if is_postgres { "Postgres" } else { "SQLite" });
        }
    });
}
