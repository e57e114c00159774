//! An escrow as it stands: all that is needed to say what may be done to it, and to tell it.

use solana_pubkey::Pubkey;

use super::read::EscrowClient;
use crate::{
    Action, EscrowAccount, EscrowInstruction, Result,
    recipe::RefusedAction,
    words::{
        Denomination,
        refusal::{Refusal, refusal},
        sentence::Teller,
    },
};

/// An escrow, how amounts of it are written, and when that was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Situation {
    /// The escrow, as read or as it would be [agreed](EscrowAccount::agreed).
    pub escrow: EscrowAccount,
    /// How amounts of it are written.
    pub denomination: Denomination,
    /// The chain's present time, in unix seconds.
    pub now: i64,
}

impl Situation {
    /// The action with its usual actor and token account.
    pub fn action(&self, instruction: EscrowInstruction) -> Action {
        Action::new(&self.escrow, instruction)
    }

    /// The same, with the escrow as it stands later.
    #[must_use]
    pub fn at(&self, escrow: EscrowAccount, now: i64) -> Self {
        Self { escrow, denomination: self.denomination.clone(), now }
    }

    /// Tells actions on it.
    pub fn teller(&self) -> Teller<'_> {
        Teller { denomination: &self.denomination, now: self.now }
    }

    /// How programs are told of it.
    ///
    /// # Errors
    ///
    /// None for an account that was decoded.
    #[cfg(feature = "serde")]
    pub fn view(&self) -> Result<crate::view::Escrow> {
        Ok(crate::view::Escrow::new(&self.escrow, &self.denomination, self.now)?)
    }

    /// Why a rule refuses an action, with the numbers that it is about.
    pub fn refused(&self, refused: &RefusedAction) -> Refusal {
        let RefusedAction { action, before, error } = refused;
        refusal(*error, action, before, &self.denomination, self.now)
    }
}

impl EscrowClient {
    /// The escrow at `address` as it stands.
    ///
    /// # Errors
    ///
    /// Where there is none, what is there is not an escrow, or the node does not answer.
    pub async fn situation(&self, address: &Pubkey) -> Result<Situation> {
        let escrow = self.escrow(address).await?;
        let denomination = self.denomination(escrow.asset()).await;
        Ok(Situation { escrow, denomination, now: self.now().await? })
    }
}
