//! Which cluster a node belongs to: by its genesis, which no node's name or URL can pretend; and which program is there.

use solana_loader_v3_interface::get_program_data_address;
use solana_pubkey::Pubkey;

use super::read::EscrowClient;
use crate::{
    Result,
    program::{Place, Program},
};

/// A cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cluster {
    /// Where SOL is bought and sold.
    Mainnet,
    /// For developers; its SOL is worth nothing.
    Devnet,
    /// For validators; its SOL is worth nothing.
    Testnet,
    /// One of somebody's own, as `escrow localnet` starts.
    Private {
        /// Its genesis hash.
        genesis: [u8; 32],
    },
}

const PUBLIC: [(Cluster, &str); 3] = [
    (Cluster::Mainnet, "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"),
    (Cluster::Devnet, "EtWTRABZaYq6iMfeYKouRu166VU2xqa1wcaWoxPkrZBG"),
    (Cluster::Testnet, "4uhcVJyU9pJkvQyS88uRDiswHXSCkY3zQawwpjk2NsNY"),
];

impl Cluster {
    /// The cluster with this genesis hash.
    pub fn of_genesis(genesis: [u8; 32]) -> Self {
        let text = Pubkey::new_from_array(genesis).to_string();
        let public = PUBLIC.iter().find(|(_, known)| *known == text);
        public.map_or(Self::Private { genesis }, |(cluster, _)| *cluster)
    }

    /// Its name, as Solana's own tools have it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Mainnet => "mainnet-beta",
            Self::Devnet => "devnet",
            Self::Testnet => "testnet",
            Self::Private { .. } => "private",
        }
    }

    /// Whether its SOL is worth something.
    pub const fn is_real(&self) -> bool {
        matches!(self, Self::Mainnet)
    }
}

impl EscrowClient {
    /// The cluster that the node belongs to, as the node says.
    ///
    /// # Errors
    ///
    /// Where the node does not answer.
    pub async fn cluster(&self) -> Result<Cluster> {
        Ok(Cluster::of_genesis(self.genesis().await?.0))
    }

    /// The escrow program as it is deployed; none where it is not.
    ///
    /// # Errors
    ///
    /// Where no node answers, or what is at its address is no program that can be read.
    pub async fn deployed(&self) -> Result<Option<Program>> {
        let found = self.accounts(&[escrow::ID, get_program_data_address(&escrow::ID)]).await?;
        let [program, programdata] = [0, 1].map(|index| found.get(index).and_then(Option::as_ref));
        match Place::read(escrow::ID, program, programdata)? {
            Place::Deployed(program) => Ok(Some(*program)),
            Place::Vacant { .. } => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_clusters_are_known_by_their_genesis() {
        for (cluster, genesis) in PUBLIC {
            let genesis: Pubkey = genesis.parse().unwrap();
            assert_eq!(Cluster::of_genesis(genesis.to_bytes()), cluster);
        }
        let own = Cluster::of_genesis([7; 32]);
        assert_eq!((own, own.name(), own.is_real()), (Cluster::Private { genesis: [7; 32] }, "private", false));
    }
}
