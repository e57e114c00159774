//! `escrow code`

use std::fmt::{self, Display, Formatter};

use clap::Args;
use serde::Serialize;
use solana_pubkey::Pubkey;

use crate::{
    context::Context,
    error::{CliError, Result},
    layout::QrLayout,
    parse,
};

/// Arguments of `code`.
#[derive(Debug, Args)]
pub struct CodeArgs {
    /// Address of the escrow
    #[arg(value_parser = parse::address)]
    escrow: Pubkey,
}

/// A delivery code.
#[derive(Debug, Serialize)]
pub struct Code {
    version: u32,
    address: String,
    code: String,
}

impl Display for Code {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { address, code, .. } = self;
        writeln!(f, "The delivery code of escrow {address}:\n\n{code}\n\n{}", QrLayout(code))?;
        writeln!(
            f,
            "Whoever has it is paid at once: the code is your acceptance. Look at the delivery first, and then give it away."
        )
    }
}

pub fn run(context: &Context, args: &CodeArgs) -> Result<Code> {
    let codes = context.codes();
    let Some(code) = codes.find(&args.escrow)? else {
        return Err(CliError::NotNow(format!(
            "there is no delivery code of escrow {} on this machine (looked in {}). It is where the escrow was created with \
             --delivery-code",
            args.escrow,
            codes.folder().display()
        )));
    };
    let address = args.escrow.to_string();
    Ok(Code { version: escrow_client::view::VERSION, address, code: code.to_string() })
}
