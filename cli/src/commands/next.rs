//! `escrow next`

use std::fmt::{self, Display, Formatter};

use clap::Args;
use escrow_client::{
    due::{self, Wanted},
    view::{Attention, Cluster, Time},
    words::time::duration,
};
use escrow_frame::terminal::{HANG, alarm};
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{context::Context, error::Result, layout::ClusterLayout, parse};

/// A task that ends sooner than this stands out, in seconds.
const SOON: i64 = 24 * 60 * 60;

/// Arguments of `next`.
#[derive(Debug, Args)]
pub struct NextArgs {
    /// Whose turn it is: somebody's address, instead of that of --keypair. They are looked for as buyer, seller, arbiter and
    /// attester
    #[arg(value_parser = parse::address, long, value_name = "ADDRESS")]
    party: Option<Pubkey>,
}

/// What waits for somebody, the most urgent first.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Waiting {
    deals: Vec<Attention>,
    #[serde(skip)]
    cluster: Cluster,
    /// How many more there are, which wait for others.
    #[serde(skip)]
    others: usize,
}

impl Display for Waiting {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", ClusterLayout(&self.cluster))?;
        for Attention { escrow, tasks, line, .. } in &self.deals {
            let left = tasks.first().and_then(|task| task.until.as_ref());
            let left = left.map_or_else(|| format!("{:<12}", "any time"), left_of);
            writeln!(f, "{left}  {HANG}{} {escrow}", line.as_deref().unwrap_or_default())?;
        }
        match (self.deals.len(), self.others) {
            (0, 0) => writeln!(f, "nothing to do: there are no open escrows"),
            (0, others) => writeln!(f, "nothing to do at present ({others} open: escrow list)"),
            _ => Ok(()),
        }
    }
}

/// How much time is left, with what is short standing out.
fn left_of(until: &Time) -> String {
    let left = until.seconds_from_now;
    let text = format!("{} left", duration(u64::try_from(left).unwrap_or(0)));
    // Padded before it is coloured: what colours it has no width.
    let text = format!("{text:<12}");
    if left < SOON { alarm(text).to_string() } else { text }
}

pub async fn run(context: &Context, args: NextArgs) -> Result<Waiting> {
    let who = args.party.map_or_else(|| context.address(), Ok)?;
    let escrows = context.client.list_of(&who).await?;
    let assets: Vec<_> = escrows.iter().map(escrow_client::EscrowAccount::asset).collect();
    let denominations = context.client.denominations(&assets).await;
    let now = context.client.now().await?;
    let (waiting, others): (Vec<_>, Vec<_>) =
        due::list(escrows, &who, &Wanted::default(), now).into_iter().partition(|deal| !deal.tasks.is_empty());
    let deals = waiting.iter().filter_map(|deal| {
        let denomination = denominations.get(&deal.escrow.asset())?;
        Some(Attention::new(deal, &who, denomination, now))
    });
    Ok(Waiting { deals: deals.collect(), cluster: context.cluster().await?, others: others.len() })
}
