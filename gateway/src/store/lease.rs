//! Who does what only one need do. A lease ends by itself, and each owner has a higher fence: what an earlier one still
//! writes can be refused by it. Two that work at once must do no harm: a lease spares work.

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

impl Store {
    /// Takes or renews a lease until `until`. None where somebody else holds it.
    pub async fn lease(&self, name: &str, owner: &str, now: i64, until: i64) -> sqlx::Result<Option<Lease>> {
        let take = sqlx::query(
            "INSERT INTO leases (name, owner, fence, until) VALUES ($1, $2, 1, $3) \
             ON CONFLICT (name) DO UPDATE SET \
             fence = CASE WHEN leases.owner = $2 THEN leases.fence ELSE leases.fence + 1 END, owner = $2, until = $3 \
             WHERE leases.owner = $2 OR leases.until <= $4 RETURNING fence",
        );
        let row = take.bind(name).bind(owner).bind(until).bind(now).fetch_optional(&self.pool).await?;
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
}
