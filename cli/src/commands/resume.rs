//! `escrow resume`

use clap::Args;
use escrow_client::{Error, sender::Intention};

use super::journal::Kept;
use crate::{
    context::Context,
    error::{CliError, Result},
};

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub struct ResumeArgs {}

pub async fn run(context: &Context, _: ResumeArgs) -> Result<Kept> {
    let sender = context.sender()?;
    let begun = sender.unresolved().await?;
    let mut ended: Vec<Intention> = Vec::new();
    let mut to_sign = 0_usize;
    for intention in &begun {
        if let Err(error) = sender.resume(intention).await {
            match error {
                // These are what there is to know.
                Error::Failed { .. } | Error::Expired { .. } | Error::Unknown { .. } => {}
                Error::ToBeSigned { .. } => to_sign = to_sign.saturating_add(1),
                error => return Err(error.into()),
            }
        }
        ended.extend(sender.kept(intention.fingerprint()).await?);
    }
    let kept = Kept::new(&ended);
    if to_sign > 0 {
        context.note(format_args!(
            "{to_sign} of these have a second transaction that is not signed yet: run the command that began them again"
        ));
    }
    match kept.open() {
        0 => Ok(kept),
        open => Err(CliError::StillOpen { open, kept: kept.to_string() }),
    }
}
