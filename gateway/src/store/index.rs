//! The index's rows. Each change first [holds](Store::hold) the index's lease, so that one process writes at a time, and one that
//! has lost it nothing more.

use sqlx::{Row as _, any::AnyRow};

use super::{Change, Store};

/// What a generation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It is built beside the one that serves.
    Building,
    /// Lists are answered from it.
    Serving,
    /// Its rows are to be deleted.
    Retired,
}

impl Stage {
    const ALL: [Self; 3] = [Self::Building, Self::Serving, Self::Retired];

    const fn name(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Serving => "serving",
            Self::Retired => "retired",
        }
    }
}

/// A generation of the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Its number.
    pub number: i64,
    /// What it is for.
    pub stage: Stage,
    /// Everything up to this slot is in it.
    pub floor: i64,
    /// The chain's time then, in unix seconds.
    pub floor_time: i64,
    /// When it last had everything up to the newest finalized slot, in unix milliseconds; 0: never.
    pub complete_at: i64,
    /// Why it does not come further; empty where it does.
    pub trouble: String,
    /// When all rows were last held against the accounts, in unix milliseconds.
    pub reconciled_at: i64,
}

/// An escrow's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indexed {
    /// Its address.
    pub address: String,
    /// Everything up to this slot is in it.
    pub slot: i64,
    /// Where the engine has come to with it.
    pub position: String,
    /// created, funded, settled or closed.
    pub status: String,
    /// The token's mint, or the system program's address for SOL.
    pub mint: String,
    /// In hexadecimal.
    pub document_hash: String,
    /// By which lists are ordered.
    pub fund_by: i64,
    /// The first deadline that is open.
    pub next_deadline: Option<i64>,
    /// Whose turn it is, as words with a bar around each.
    pub attention: String,
    /// When time alone changes something of it.
    pub look_at: Option<i64>,
    /// When there is first something that anyone may do.
    pub due_at: Option<i64>,
}

/// Something by which an escrow is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// `party:ADDRESS`, `mint:ADDRESS` or `document:HASH`.
    pub name: String,
    /// The party's roles, as words with a bar around each.
    pub roles: String,
}

/// Which escrows are listed. What is empty or none is not asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// A [`Name`].
    pub name: String,
    /// A role of the party that is named.
    pub role: String,
    /// A status.
    pub status: String,
    /// A mint.
    pub mint: String,
    /// A document.
    pub document_hash: String,
    /// Those that wait for this role; and those of which that is not known any more at `now`.
    pub attention: String,
    /// The chain's time, in unix seconds.
    pub now: i64,
    /// Those with a deadline before.
    pub deadline_before: Option<i64>,
}

fn generation(row: &AnyRow) -> sqlx::Result<Generation> {
    let stage: String = row.try_get(1)?;
    let known = Stage::ALL.into_iter().find(|known| known.name() == stage);
    Ok(Generation {
        number: row.try_get(0)?,
        stage: known.ok_or_else(|| sqlx::Error::Decode(format!("{stage} is no stage of an index").into()))?,
        floor: row.try_get(2)?,
        floor_time: row.try_get(3)?,
        complete_at: row.try_get(4)?,
        trouble: row.try_get(5)?,
        reconciled_at: row.try_get(6)?,
    })
}

fn texts(rows: &[AnyRow]) -> sqlx::Result<Vec<String>> {
    rows.iter().map(|row| row.try_get(0)).collect()
}

impl Store {
    /// All generations.
    pub async fn generations(&self) -> sqlx::Result<Vec<Generation>> {
        let rows = sqlx::query(
            "SELECT generation, stage, floor, floor_time, complete_at, trouble, reconciled_at \
             FROM index_generations ORDER BY generation",
        );
        rows.fetch_all(&self.pool).await?.iter().map(generation).collect()
    }

    /// The generation that serves; none before there is an index.
    pub async fn serving(&self) -> sqlx::Result<Option<Generation>> {
        Ok(self.generations().await?.into_iter().find(|generation| generation.stage == Stage::Serving))
    }

    /// Adds a generation that begins with the slot `first`: one that serves where there is none, else one that is built. None
    /// where one is built already.
    pub async fn begin_generation(&self, first: u64) -> sqlx::Result<Option<i64>> {
        let floor = i64::try_from(first.saturating_sub(1)).unwrap_or(i64::MAX);
        let add = sqlx::query(
            "INSERT INTO index_generations \
             (generation, stage, floor, floor_time, complete_at, trouble, reconciled_at) \
             SELECT COALESCE(MAX(generation), 0) + 1, \
             CASE WHEN COUNT(CASE WHEN stage = 'serving' THEN 1 END) = 0 THEN 'serving' ELSE 'building' END, \
             $1, 0, 0, '', 0 FROM index_generations \
             HAVING COUNT(CASE WHEN stage = 'building' THEN 1 END) = 0 \
             ON CONFLICT (generation) DO NOTHING RETURNING generation",
        );
        add.bind(floor).fetch_optional(&self.pool).await?.map(|row| row.try_get(0)).transpose()
    }

    /// Where a generation has come to.
    pub async fn set_generation(&self, change: &mut Change, generation: &Generation) -> sqlx::Result<()> {
        let Generation { number, stage, floor, floor_time, complete_at, trouble, reconciled_at } = generation;
        let set = sqlx::query(
            "UPDATE index_generations SET stage = $1, floor = $2, floor_time = $3, complete_at = $4, trouble = $5, \
             reconciled_at = $6 WHERE generation = $7",
        );
        let set = set.bind(stage.name()).bind(*floor).bind(*floor_time).bind(*complete_at).bind(trouble);
        set.bind(*reconciled_at).bind(*number).execute(&mut **change).await.map(drop)
    }

    /// Deletes at most so many rows of a generation, and at last the generation. Whether all is gone.
    pub async fn forget_generation(&self, change: &mut Change, number: i64, most: i64) -> sqlx::Result<bool> {
        for delete in [
            "DELETE FROM escrow_names WHERE generation = $1 AND address IN \
             (SELECT address FROM escrow_names WHERE generation = $1 LIMIT $2)",
            "DELETE FROM escrows WHERE generation = $1 AND address IN \
             (SELECT address FROM escrows WHERE generation = $1 LIMIT $2)",
            "DELETE FROM dead_letters WHERE generation = $1 AND signature IN \
             (SELECT signature FROM dead_letters WHERE generation = $1 LIMIT $2)",
        ] {
            if sqlx::query(delete).bind(number).bind(most).execute(&mut **change).await?.rows_affected() > 0 {
                return Ok(false);
            }
        }
        let delete = sqlx::query("DELETE FROM index_generations WHERE generation = $1").bind(number);
        delete.execute(&mut **change).await.map(|_| true)
    }

    /// Writes an escrow's row. Its names stay what they were.
    pub async fn put_escrow(
        &self,
        change: &mut Change,
        generation: i64,
        row: &Indexed,
        names: &[Name],
    ) -> sqlx::Result<()> {
        let put = sqlx::query(
            "INSERT INTO escrows (generation, address, slot, position, status, mint, document_hash, fund_by, next_deadline, \
             attention, look_at, due_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
             ON CONFLICT (generation, address) DO UPDATE SET slot = $3, position = $4, status = $5, mint = $6, \
             document_hash = $7, fund_by = $8, next_deadline = $9, attention = $10, look_at = $11, due_at = $12",
        );
        let put = put.bind(generation).bind(&row.address).bind(row.slot).bind(&row.position).bind(&row.status);
        let put = put.bind(&row.mint).bind(&row.document_hash).bind(row.fund_by).bind(row.next_deadline);
        let put = put.bind(&row.attention).bind(row.look_at).bind(row.due_at);
        put.execute(&mut **change).await?;
        for Name { name, roles } in names {
            let add = sqlx::query(
                "INSERT INTO escrow_names (generation, name, fund_by, address, roles) VALUES ($1, $2, $3, $4, $5) \
                 ON CONFLICT (generation, name, fund_by, address) DO NOTHING",
            );
            let add = add.bind(generation).bind(name).bind(row.fund_by).bind(&row.address).bind(roles);
            add.execute(&mut **change).await?;
        }
        Ok(())
    }

    /// Where the engine has come to with an escrow.
    pub async fn position(&self, generation: i64, address: &str) -> sqlx::Result<Option<String>> {
        let find = sqlx::query("SELECT position FROM escrows WHERE generation = $1 AND address = $2");
        let row = find.bind(generation).bind(address).fetch_optional(&self.pool).await?;
        row.map(|row| row.try_get(0)).transpose()
    }

    /// Escrows of which time alone has changed something at `now`, the longest ago first.
    pub async fn to_look_at(&self, generation: i64, now: i64, most: i64) -> sqlx::Result<Vec<String>> {
        let find = sqlx::query(
            "SELECT address FROM escrows WHERE generation = $1 AND look_at <= $2 ORDER BY look_at, address LIMIT $3",
        );
        texts(&find.bind(generation).bind(now).bind(most).fetch_all(&self.pool).await?)
    }

    /// Escrows with something that anyone may do at `now`, the longest due first.
    pub async fn due(&self, generation: i64, now: i64, most: i64) -> sqlx::Result<Vec<String>> {
        let find = sqlx::query(
            "SELECT address FROM escrows WHERE generation = $1 AND due_at <= $2 ORDER BY due_at, address LIMIT $3",
        );
        texts(&find.bind(generation).bind(now).bind(most).fetch_all(&self.pool).await?)
    }

    /// The positions of escrows that are not closed, by address, behind this one.
    pub async fn positions(&self, generation: i64, after: &str, most: i64) -> sqlx::Result<Vec<(String, String)>> {
        let find = sqlx::query(
            "SELECT address, position FROM escrows WHERE generation = $1 AND address > $2 AND status <> 'closed' \
             ORDER BY address LIMIT $3",
        );
        let rows = find.bind(generation).bind(after).bind(most).fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
    }

    /// A page of escrows that are not closed, behind this place: each with its place and its position.
    pub async fn list_escrows(
        &self,
        generation: i64,
        listed: &Listed,
        after: &(i64, String),
        most: i64,
    ) -> sqlx::Result<Vec<(i64, String, String)>> {
        let by_name = "SELECT e.fund_by, e.address, e.position FROM escrow_names n \
             JOIN escrows e ON e.generation = n.generation AND e.address = n.address \
             WHERE n.generation = $1 AND (n.fund_by > $2 OR (n.fund_by = $2 AND n.address > $3)) \
             AND e.status <> 'closed' AND ($4 = '' OR e.status = $4) AND ($5 = '' OR e.mint = $5) \
             AND ($6 = '' OR e.document_hash = $6) AND ($7 = 9223372036854775807 OR e.next_deadline < $7) \
             AND ($8 = '' OR e.attention LIKE $8 OR e.look_at <= $9) AND n.name = $11 AND ($12 = '' OR n.roles LIKE $12) \
             ORDER BY n.fund_by, n.address LIMIT $10";
        let all = "SELECT e.fund_by, e.address, e.position FROM escrows e \
             WHERE e.generation = $1 AND (e.fund_by > $2 OR (e.fund_by = $2 AND e.address > $3)) \
             AND e.status <> 'closed' AND ($4 = '' OR e.status = $4) AND ($5 = '' OR e.mint = $5) \
             AND ($6 = '' OR e.document_hash = $6) AND ($7 = 9223372036854775807 OR e.next_deadline < $7) \
             AND ($8 = '' OR e.attention LIKE $8 OR e.look_at <= $9) ORDER BY e.fund_by, e.address LIMIT $10";
        let with = |word: &str| if word.is_empty() { String::new() } else { format!("%|{word}|%") };
        let find = sqlx::query(if listed.name.is_empty() { all } else { by_name });
        let find = find.bind(generation).bind(after.0).bind(&after.1).bind(&listed.status).bind(&listed.mint);
        let find = find.bind(&listed.document_hash).bind(listed.deadline_before.unwrap_or(i64::MAX));
        let mut find = find.bind(with(&listed.attention)).bind(listed.now).bind(most);
        if !listed.name.is_empty() {
            find = find.bind(&listed.name).bind(with(&listed.role));
        }
        let rows = find.fetch_all(&self.pool).await?;
        rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect()
    }

    /// Keeps that a transaction cannot be read, or that it was tried again.
    pub async fn add_dead_letter(
        &self,
        change: &mut Change,
        generation: i64,
        signature: &str,
        now: i64,
    ) -> sqlx::Result<()> {
        let add = sqlx::query(
            "INSERT INTO dead_letters (generation, signature, found_at, tried_at) VALUES ($1, $2, $3, $3) \
             ON CONFLICT (generation, signature) DO UPDATE SET tried_at = $3",
        );
        add.bind(generation).bind(signature).bind(now).execute(&mut **change).await.map(drop)
    }

    /// A transaction was read at last.
    pub async fn remove_dead_letter(&self, change: &mut Change, generation: i64, signature: &str) -> sqlx::Result<()> {
        let remove = sqlx::query("DELETE FROM dead_letters WHERE generation = $1 AND signature = $2");
        remove.bind(generation).bind(signature).execute(&mut **change).await.map(drop)
    }

    /// Transactions that cannot be read and were not tried since `before`, the longest ago first.
    pub async fn dead_letters(&self, generation: i64, before: i64, most: i64) -> sqlx::Result<Vec<String>> {
        let find = sqlx::query(
            "SELECT signature FROM dead_letters WHERE generation = $1 AND tried_at < $2 \
             ORDER BY tried_at, signature LIMIT $3",
        );
        texts(&find.bind(generation).bind(before).bind(most).fetch_all(&self.pool).await?)
    }

    /// How many there are.
    pub async fn count_dead_letters(&self, generation: i64) -> sqlx::Result<i64> {
        let count = sqlx::query("SELECT COUNT(*) FROM dead_letters WHERE generation = $1").bind(generation);
        count.fetch_one(&self.pool).await?.try_get(0)
    }
}
