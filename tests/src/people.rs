//! The people of a [`World`].

use escrow_client::Recipient;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::World;

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// Pays.
    Buyer,
    /// Is paid.
    Seller,
    /// Rules.
    Arbiter,
    /// Delivers in the seller's place, where named.
    Attester,
    /// Is paid the fee.
    FeeRecipient,
    /// Created the escrow.
    RentPayer,
    /// Has nothing to do with the escrow.
    Stranger,
}

impl Who {
    /// Everybody.
    pub const ALL: [Self; 7] =
        [Self::Buyer, Self::Seller, Self::Arbiter, Self::Attester, Self::FeeRecipient, Self::RentPayer, Self::Stranger];

    /// Those who may be owed something, and as what.
    pub const PAID: [(Recipient, Self); 4] = [
        (Recipient::Buyer, Self::Buyer),
        (Recipient::Seller, Self::Seller),
        (Recipient::Fee, Self::FeeRecipient),
        (Recipient::Arbiter, Self::Arbiter),
    ];

    /// The key that signs.
    pub fn keypair(self, world: &World) -> &Keypair {
        match self {
            Self::Buyer => &world.buyer,
            Self::Seller => &world.seller,
            Self::Arbiter => &world.arbiter,
            Self::Attester => &world.attester,
            Self::FeeRecipient => &world.fee_recipient,
            Self::RentPayer => &world.rent_payer,
            Self::Stranger => &world.stranger,
        }
    }

    /// The address.
    pub fn key(self, world: &World) -> Pubkey {
        self.keypair(world).pubkey()
    }

    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Buyer => "buyer",
            Self::Seller => "seller",
            Self::Arbiter => "arbiter",
            Self::Attester => "attester",
            Self::FeeRecipient => "fee recipient",
            Self::RentPayer => "rent payer",
            Self::Stranger => "stranger",
        }
    }
}
