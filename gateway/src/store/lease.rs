//! Who does what only one need do. A lease ends by itself, and each owner has a higher fence: what an earlier one still
//! writes can be refused by it. Two that work at once must do no harm: a lease spares work.

use sqlx::Row as _;

use super::Store;

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
}
