//! Who does what only one need do. A lease ends by itself, and each owner has a higher fence: what an earlier one still
//! writes can be refused by it. Two that work at once must do no harm: a lease spares work.

use rand::RngCore;
use sqlx::Row as _;

use super::{Change, Store};

/// That one holds a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// On what.
    pub name: String,
    /// Who.
    pub owner: String,
    /// Grows with each owner.
    pub fence: i64,
    /// Until when.
    pub until: i64,
}

impl Lease {
    /// A name for one who works in this process, which nobody else has.
    pub fn owner_here() -> String {
        let mut random = [0; 8];
        rand::rng().fill_bytes(&mut random);
        format!("{}-{}", std::process::id(), hex::encode(random))
    }
}

/// Of one whose name and owner, end and the present time are given.
const TAKE: &str = "INSERT INTO leases (name, owner, fence, until) VALUES ($1, $2, 1, $3) \
     ON CONFLICT (name) DO UPDATE SET \
     fence = CASE WHEN leases.owner = $2 THEN leases.fence ELSE leases.fence + 1 END, owner = $2, until = $3 \
     WHERE leases.owner = $2 OR leases.until <= $4 RETURNING fence";

impl Store {
    /// Takes or renews a lease until `until`. None where somebody else holds it.
    pub async fn lease(&self, name: &str, owner: &str, now: i64, until: i64) -> sqlx::Result<Option<Lease>> {
        let take = sqlx::query(TAKE).bind(name).bind(owner).bind(until).bind(now);
        let row = take.fetch_optional(&self.pool).await?;
        let held = |fence| Lease { name: name.to_owned(), owner: owner.to_owned(), fence, until };
        row.map(|row| row.try_get(0).map(held)).transpose()
    }

    /// Holds a lease until the end of a change, and then until `until`. False where somebody else has it: then nothing may be
    /// committed. Whoever takes it in the meantime waits for this change.
    pub async fn hold(&self, change: &mut Change, lease: &Lease, until: i64) -> sqlx::Result<bool> {
        let hold = sqlx::query("UPDATE leases SET until = $1 WHERE name = $2 AND owner = $3 AND fence = $4");
        let hold = hold.bind(until).bind(&lease.name).bind(&lease.owner).bind(lease.fence);
        Ok(hold.execute(&mut **change).await?.rows_affected() == 1)
    }

    /// Takes or renews several leases at once: those that nobody else holds.
    pub async fn lease_all(&self, names: &[String], owner: &str, now: i64, until: i64) -> sqlx::Result<Vec<Lease>> {
        // In one order for all, so that two who want the same do not wait for each other.
        let mut names = names.to_vec();
        names.sort_unstable();
        let mut held = Vec::new();
        let mut change = self.change().await?;
        for name in names {
            let take = sqlx::query(TAKE).bind(&name).bind(owner).bind(until).bind(now);
            if let Some(row) = take.fetch_optional(&mut *change).await? {
                held.push(Lease { name, owner: owner.to_owned(), fence: row.try_get(0)?, until });
            }
        }
        change.commit().await?;
        Ok(held)
    }

    /// Gives leases back that nobody else has taken meanwhile.
    pub async fn release(&self, leases: &[Lease]) -> sqlx::Result<()> {
        let mut leases: Vec<&Lease> = leases.iter().collect();
        leases.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let mut change = self.change().await?;
        for Lease { name, owner, fence, .. } in leases {
            let release = sqlx::query("DELETE FROM leases WHERE name = $1 AND owner = $2 AND fence = $3");
            release.bind(name).bind(owner).bind(*fence).execute(&mut *change).await?;
        }
        change.commit().await
    }

    /// The leases that are held on what is named with this beginning, which has no `%` and no `_`: at most so many, those that
    /// end first in front.
    pub async fn leases(&self, beginning: &str, now: i64, limit: i64) -> sqlx::Result<Vec<Lease>> {
        let find = sqlx::query(
            "SELECT name, owner, fence, until FROM leases WHERE name LIKE $1 AND until > $2 ORDER BY until, name LIMIT $3",
        );
        let rows = find.bind(format!("{beginning}%")).bind(now).bind(limit).fetch_all(&self.pool).await?;
        let read = |row: &sqlx::any::AnyRow| {
            Ok(Lease { name: row.try_get(0)?, owner: row.try_get(1)?, fence: row.try_get(2)?, until: row.try_get(3)? })
        };
        rows.iter().map(read).collect()
    }

    /// Forgets leases with this beginning that ended before then: of processes that died.
    pub async fn forget_leases(&self, beginning: &str, before: i64) -> sqlx::Result<()> {
        let forget = sqlx::query("DELETE FROM leases WHERE name LIKE $1 AND until < $2");
        forget.bind(format!("{beginning}%")).bind(before).execute(&self.pool).await.map(drop)
    }
}
