//! Which token it is, in a sentence.

use solana_pubkey::Pubkey;

use crate::stablecoin::{Identity, Stablecoin};

/// What the token with this mint is, where something is known of it.
pub fn known(identity: &Identity) -> Option<String> {
    match identity {
        Identity::Stablecoin(Stablecoin { symbol, issuer, .. }) => Some(format!("it is {symbol}, issued by {issuer}")),
        _ => None,
    }
}

/// That the token with this mint is another one than it looks like.
pub fn mistaken(mint: &Pubkey, identity: &Identity) -> Option<String> {
    match identity {
        Identity::SymbolOf { stablecoin, symbol } => Some(format!(
            "The token {mint} calls itself \"{symbol}\" and is not the {}: the mint of that is {}, by {}. Anybody can make a \
             token of any name.",
            stablecoin.symbol, stablecoin.mint, stablecoin.issuer
        )),
        Identity::AddressOf(stablecoin) => Some(format!(
            "The token's mint {mint} looks like that of {}, {}, and is another address.",
            stablecoin.symbol, stablecoin.mint
        )),
        Identity::Stablecoin(_) | Identity::Unknown => None,
    }
}
