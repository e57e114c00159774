//! API keys, sessions, and what wallets sign to get one.

use sqlx::{Row as _, any::AnyRow};

use super::{Change, Store};

/// An API key or a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// By which it is found: public.
    pub id: String,
    /// `key` or `session`.
    pub kind: String,
    /// Whose: what one key of an owner made, another may use.
    pub owner: String,
    /// What it is for, for people.
    pub name: String,
    /// Words with a space between them.
    pub scopes: String,
    /// SHA-256 of the secret, in hexadecimal.
    pub secret_hash: String,
    /// When it was made.
    pub created_at: i64,
    /// From when on it is refused.
    pub expires_at: Option<i64>,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
}

/// What a wallet is asked to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Used once.
    pub nonce: String,
    /// Who is to sign.
    pub address: String,
    /// What is signed.
    pub message: String,
    /// From when on it is refused.
    pub expires_at: i64,
}

fn credential(row: &AnyRow) -> sqlx::Result<Credential> {
    Ok(Credential {
        id: row.try_get(0)?,
        kind: row.try_get(1)?,
        owner: row.try_get(2)?,
        name: row.try_get(3)?,
        scopes: row.try_get(4)?,
        secret_hash: row.try_get(5)?,
        created_at: row.try_get(6)?,
        expires_at: row.try_get(7)?,
        revoked_at: row.try_get(8)?,
    })
}

impl Store {
    /// The credential with this id.
    pub async fn credential(&self, id: &str) -> sqlx::Result<Option<Credential>> {
        let found = sqlx::query(
            "SELECT id, kind, owner, name, scopes, secret_hash, created_at, expires_at, revoked_at \
             FROM credentials WHERE id = $1",
        );
        found.bind(id).fetch_optional(&self.pool).await?.as_ref().map(credential).transpose()
    }

    /// API keys, the oldest first, after this place in the list.
    pub async fn keys(&self, after: &(i64, String), limit: i64) -> sqlx::Result<Vec<Credential>> {
        let found = sqlx::query(
            "SELECT id, kind, owner, name, scopes, secret_hash, created_at, expires_at, revoked_at \
             FROM credentials WHERE kind = 'key' AND (created_at > $1 OR (created_at = $1 AND id > $2)) \
             ORDER BY created_at, id LIMIT $3",
        );
        let rows = found.bind(after.0).bind(&after.1).bind(limit).fetch_all(&self.pool).await?;
        rows.iter().map(credential).collect()
    }

    /// Adds one.
    pub async fn add_credential(&self, change: &mut Change, credential: &Credential) -> sqlx::Result<()> {
        let add = sqlx::query(
            "INSERT INTO credentials \
             (id, kind, owner, name, scopes, secret_hash, created_at, expires_at, revoked_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL)",
        );
        let Credential { id, kind, owner, name, scopes, secret_hash, created_at, expires_at, .. } = credential;
        let add = add.bind(id).bind(kind).bind(owner).bind(name).bind(scopes).bind(secret_hash);
        add.bind(created_at).bind(*expires_at).execute(&mut **change).await.map(drop)
    }

    /// Revokes one of this kind. Whether there is one; a second time changes nothing.
    pub async fn revoke(&self, id: &str, kind: &str, now: i64) -> sqlx::Result<bool> {
        let revoke =
            sqlx::query("UPDATE credentials SET revoked_at = COALESCE(revoked_at, $1) WHERE id = $2 AND kind = $3");
        let done = revoke.bind(now).bind(id).bind(kind).execute(&self.pool).await?;
        Ok(done.rows_affected() > 0)
    }

    /// Keeps a challenge.
    pub async fn add_challenge(&self, challenge: &Challenge) -> sqlx::Result<()> {
        let add = sqlx::query("INSERT INTO challenges (nonce, address, message, expires_at) VALUES ($1, $2, $3, $4)");
        let Challenge { nonce, address, message, expires_at } = challenge;
        add.bind(nonce).bind(address).bind(message).bind(*expires_at).execute(&self.pool).await.map(drop)
    }

    /// Takes a challenge: whoever asks again does not find it.
    pub async fn take_challenge(&self, change: &mut Change, nonce: &str) -> sqlx::Result<Option<Challenge>> {
        let take = sqlx::query("DELETE FROM challenges WHERE nonce = $1 RETURNING nonce, address, message, expires_at");
        let Some(row) = take.bind(nonce).fetch_optional(&mut **change).await? else { return Ok(None) };
        Ok(Some(Challenge {
            nonce: row.try_get(0)?,
            address: row.try_get(1)?,
            message: row.try_get(2)?,
            expires_at: row.try_get(3)?,
        }))
    }

    /// Forgets challenges and sessions that ended before `now`, and idempotency keys that were used before `used_before`.
    pub async fn sweep(&self, now: i64, used_before: i64) -> sqlx::Result<u64> {
        let mut swept = 0u64;
        let challenges = sqlx::query("DELETE FROM challenges WHERE expires_at <= $1").bind(now);
        swept = swept.saturating_add(challenges.execute(&self.pool).await?.rows_affected());
        let sessions = sqlx::query("DELETE FROM credentials WHERE kind = 'session' AND expires_at <= $1").bind(now);
        swept = swept.saturating_add(sessions.execute(&self.pool).await?.rows_affected());
        let keys = sqlx::query("DELETE FROM idempotency WHERE created_at <= $1 AND until <= $2");
        let keys = keys.bind(used_before).bind(now);
        Ok(swept.saturating_add(keys.execute(&self.pool).await?.rows_affected()))
    }
}
