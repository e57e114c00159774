//! `escrow list`

use std::fmt::{self, Display, Formatter};

use clap::Args;
use escrow_client::{
    EscrowAccount, Filter,
    view::{Cluster, Escrow},
};
use escrow_frame::terminal::HANG;
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{
    context::Context,
    error::Result,
    layout::{ClusterLayout, time},
    parse,
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
}

/// The escrows that were found.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Found {
    escrows: Vec<Escrow>,
    #[serde(skip)]
    cluster: Cluster,
}

impl Display for Found {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", ClusterLayout(&self.cluster))?;
        if self.escrows.is_empty() {
            return writeln!(f, "no escrows found");
        }
        for escrow in &self.escrows {
            let settled = escrow.milestones.iter().filter(|milestone| milestone.deadline.is_none()).count();
            let all = escrow.milestones.len();
            let deadlines = escrow.milestones.iter().filter_map(|milestone| milestone.deadline.as_ref());
            let waits_for = match escrow.funded_at {
                None => Some(&escrow.fund_by),
                Some(_) => deadlines.min_by_key(|deadline| deadline.unix),
            };
            let (address, amount) = (&escrow.address, &escrow.principal.text);
            let next = waits_for.map_or_else(|| "none".to_owned(), |deadline| time(deadline).to_string());
            writeln!(f, "{address:<44}  {:<7}  {settled} of {all} settled", escrow.status)?;
            writeln!(f, "    {HANG}{amount}, next deadline {next}")?;
        }
        Ok(())
    }
}

pub async fn run(context: &Context, args: ListArgs) -> Result<Found> {
    let ListArgs { buyer, seller, arbiter, attester, all } = args;
    let filter = Filter { buyer, seller, arbiter, attester, salt: None };
    let me = if filter == Filter::default() && !all { context.viewer() } else { None };
    let escrows = match me {
        Some(me) => context.client.list_of(&me).await?,
        None => context.client.list(&filter).await?,
    };
    let assets: Vec<_> = escrows.iter().map(EscrowAccount::asset).collect();
    let denominations = context.client.denominations(&assets).await;
    let now = context.client.now().await?;
    let cluster = context.cluster().await?;
    let views = escrows.iter().filter_map(|escrow| {
        let denomination = denominations.get(&escrow.asset())?;
        let view = Escrow::new(escrow, denomination, now);
        Some(view.map(|view| Escrow { cluster: Some(cluster.clone()), ..view }))
    });
    let escrows = views.collect::<std::result::Result<_, _>>()?;
    Ok(Found { escrows, cluster })
}
