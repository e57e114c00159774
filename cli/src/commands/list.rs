//! `escrow list`

use std::fmt::{self, Display, Formatter};

use clap::{Args, ValueEnum};
use escrow_client::{
    EscrowAccount, Filter,
    due::{self, Role, State, Wanted},
    view::{Attention, Cluster, Escrow},
};
use escrow_frame::terminal::HANG;
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{
    context::Context,
    error::Result,
    layout::{ClusterLayout, time},
    parse::{self, Window},
};

/// Arguments of `list`. Without any: the escrows in which --keypair has a role; where there is no keypair, all.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only those with this buyer
    #[arg(value_parser = parse::address, long, value_name = "ADDRESS")]
    buyer: Option<Pubkey>,

    /// Only those with this seller
    #[arg(value_parser = parse::address, long, value_name = "ADDRESS")]
    seller: Option<Pubkey>,

    /// Only those with this arbiter
    #[arg(value_parser = parse::address, long, value_name = "ADDRESS")]
    arbiter: Option<Pubkey>,

    /// Only those with this attester
    #[arg(value_parser = parse::address, long, value_name = "ADDRESS")]
    attester: Option<Pubkey>,

    /// All escrows of the cluster
    #[arg(long, conflicts_with_all = ["buyer", "seller", "arbiter", "attester"])]
    all: bool,

    /// Whose escrows, and whose turn comes first, instead of the owner's of --keypair
    #[arg(value_parser = parse::address, long, value_name = "ADDRESS")]
    party: Option<Pubkey>,

    /// Only those in which you have this role, or --party has
    #[arg(long, value_enum)]
    role: Option<RoleArg>,

    /// Only those that stand like this; with several milestones it can be in several ways
    #[arg(long, value_enum)]
    status: Option<StatusArg>,

    /// Only those with a deadline, or something to do for you, within this time, as in 2d; what is overdue counts
    #[arg(long, value_parser = parse::window, value_name = "DURATION")]
    due_within: Option<Window>,
}

/// A role, as it is typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum RoleArg {
    Buyer,
    Seller,
    Arbiter,
    Attester,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Buyer => Self::Buyer,
            RoleArg::Seller => Self::Seller,
            RoleArg::Arbiter => Self::Arbiter,
            RoleArg::Attester => Self::Attester,
        }
    }
}

/// How an escrow stands, as it is typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum StatusArg {
    /// Not funded
    Created,
    /// Funded, and a milestone waits for its delivery
    Funded,
    /// A milestone is delivered, and not answered
    Delivered,
    /// A milestone is disputed
    Disputed,
    /// Every milestone is decided
    Settled,
}

impl From<StatusArg> for State {
    fn from(status: StatusArg) -> Self {
        match status {
            StatusArg::Created => Self::Created,
            StatusArg::Funded => Self::Funded,
            StatusArg::Delivered => Self::Delivered,
            StatusArg::Disputed => Self::Disputed,
            StatusArg::Settled => Self::Settled,
        }
    }
}

/// The escrows that were found.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Found {
    escrows: Vec<Escrow>,
    /// What each asks of whoever looks, in the same order.
    #[serde(skip)]
    attention: Vec<Attention>,
    #[serde(skip)]
    cluster: Cluster,
}

impl Display for Found {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", ClusterLayout(&self.cluster))?;
        if self.escrows.is_empty() {
            return writeln!(f, "no escrows found");
        }
        for (escrow, attention) in self.escrows.iter().zip(&self.attention) {
            let settled = escrow.milestones.iter().filter(|milestone| milestone.deadline.is_none()).count();
            let all = escrow.milestones.len();
            let (address, amount) = (&escrow.address, &escrow.principal.text);
            writeln!(f, "{address:<44}  {:<9}  {settled} of {all} settled", escrow.status)?;
            match (attention.tasks.as_slice(), &attention.line, &attention.next_deadline) {
                ([_, ..], Some(line), _) => writeln!(f, "    {HANG}{amount}. {line}")?,
                (_, _, Some(next)) => writeln!(f, "    {HANG}{amount}. {}: {}", next.text, time(&next.at))?,
                _ => writeln!(f, "    {HANG}{amount}")?,
            }
        }
        Ok(())
    }
}

pub async fn run(context: &Context, args: ListArgs) -> Result<Found> {
    let ListArgs { buyer, seller, arbiter, attester, all, party, role, status, due_within } = args;
    let filter = Filter { buyer, seller, arbiter, attester, salt: None };
    // A role is somebody's: without anybody there is none to ask for.
    let viewer = match (party, role) {
        (Some(party), _) => Some(party),
        (None, Some(_)) => Some(context.address()?),
        (None, None) => context.viewer(),
    };
    let escrows = match viewer {
        Some(viewer) if filter == Filter::default() && !all => context.client.list_of(&viewer).await?,
        _ => context.client.list(&filter).await?,
    };
    let wanted = Wanted {
        role: role.map(Role::from),
        state: status.map(State::from),
        due_within: due_within.map(|within| i64::from(within.0)),
    };
    let assets: Vec<_> = escrows.iter().map(EscrowAccount::asset).collect();
    let denominations = context.client.denominations(&assets).await;
    let now = context.client.now().await?;
    let cluster = context.cluster().await?;
    // Where nobody is known to look, an address that is no party's.
    let viewer = viewer.unwrap_or(escrow_client::escrow::ID);
    let (mut escrows_shown, mut attention) = (Vec::new(), Vec::new());
    for found in due::list(escrows, &viewer, &wanted, now) {
        let Some(denomination) = denominations.get(&found.escrow.asset()) else { continue };
        let view = Escrow::new(&found.escrow, denomination, now)?;
        escrows_shown.push(Escrow { cluster: Some(cluster.clone()), ..view });
        attention.push(Attention::new(&found, &viewer, denomination, now));
    }
    Ok(Found { escrows: escrows_shown, attention, cluster })
}
