//! A deal as a link: all its terms, so that the other side need believe nobody. The address in it is checked against them.
//!
//! `escrow:ADDRESS?cluster=NAME&terms=…`, where the terms are those of the program's instruction, zeros shortened, in base64 for
//! URLs.

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use escrow::state::Terms;
use solana_pubkey::Pubkey;
use thiserror::Error;

use super::address::escrow_address;
use crate::EscrowError;

/// A deal that is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The escrow's address, which follows from the terms.
    pub address: Pubkey,
    /// The name of the cluster that it is on.
    pub cluster: String,
    /// The terms.
    pub terms: Terms,
}

/// Why a text is not a shared deal.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ShareError {
    /// It is something else.
    #[error("this is not a shared deal: it begins with escrow: and has terms= in it. Copy all of it again")]
    NotAShare,
    /// Its terms cannot be read.
    #[error("the terms in it cannot be read: a part of it is missing or changed. Copy all of it again")]
    Terms,
    /// It names an address that is not that of its terms.
    #[error("DO NOT TRUST IT: it names the escrow {named}, and its terms belong to {derived}. Somebody changed it")]
    Address {
        /// The address in it.
        named: String,
        /// The address of its terms.
        derived: Pubkey,
    },
}

impl Share {
    /// These terms, on the cluster with this name.
    ///
    /// # Errors
    ///
    /// Where the terms cannot be hashed.
    pub fn new(terms: Terms, cluster: impl Into<String>) -> Result<Self, EscrowError> {
        Ok(Self { address: escrow_address(&terms)?, cluster: cluster.into(), terms })
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, cluster, terms } = self;
        let bytes = shorten(&borsh::to_vec(terms).unwrap_or_default());
        write!(f, "escrow:{address}?cluster={cluster}&terms={}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Share {
    type Err = ShareError;

    /// Also out of the middle of a message.
    fn from_str(text: &str) -> Result<Self, ShareError> {
        let link =
            text.split_whitespace().find_map(|word| word.strip_prefix("escrow:")).ok_or(ShareError::NotAShare)?;
        let (named, query) = link.split_once('?').ok_or(ShareError::NotAShare)?;
        let field = |name: &str| query.split('&').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        let encoded = field("terms").ok_or(ShareError::NotAShare)?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(encoded).map_err(|_| ShareError::Terms)?;
        let terms: Terms =
            borsh::from_slice(&lengthen(&bytes).ok_or(ShareError::Terms)?).map_err(|_| ShareError::Terms)?;
        let address = escrow_address(&terms).map_err(|_| ShareError::Terms)?;
        if named != address.to_string() {
            // What is not an address at all is not repeated: it may be anything.
            let named =
                named.parse::<Pubkey>().map_or_else(|_| "of another address".to_owned(), |named| named.to_string());
            return Err(ShareError::Address { named, derived: address });
        }
        let cluster = field("cluster").unwrap_or_default();
        let cluster =
            cluster.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').take(32).collect();
        Ok(Self { address, cluster, terms })
    }
}

/// Each run of zeros as a zero and its length: who is not named in the terms is 32 of them.
fn shorten(bytes: &[u8]) -> Vec<u8> {
    let mut short = Vec::new();
    for run in bytes.chunk_by(|one, other| *one == 0 && *other == 0) {
        match run {
            [0, ..] => {
                for part in run.chunks(255) {
                    short.extend([0, u8::try_from(part.len()).unwrap_or(255)]);
                }
            }
            _ => short.extend_from_slice(run),
        }
    }
    short
}

/// The longest that terms are.
const LONGEST: usize = 1_024;

fn lengthen(short: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = short.iter();
    while let Some(byte) = rest.next() {
        match byte {
            0 => bytes.extend(std::iter::repeat_n(0, usize::from(*rest.next()?))),
            byte => bytes.push(*byte),
        }
        if bytes.len() > LONGEST {
            return None;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TermsBuilder, terms::Asset};

    const NOW: i64 = 1_800_000_000;

    fn share() -> Share {
        let key = |byte| Pubkey::new_from_array([byte; 32]);
        let builder = TermsBuilder { arbiter: Some(key(3)), ..TermsBuilder::new(key(1), key(2), Asset::Sol) };
        Share::new(builder.milestone(1_500_000_000, NOW + 864_000).build(NOW).unwrap(), "devnet").unwrap()
    }

    #[test]
    fn a_deal_is_read_back_out_of_a_message() {
        let share = share();
        let link = share.to_string();
        assert!(link.len() < 340, "{}", link.len());
        assert_eq!(link.parse(), Ok(share.clone()));
        assert_eq!(format!("Look at this:\n{link}\nand fund it").parse(), Ok(share));
    }

    #[test]
    fn whatever_is_changed_in_it_is_noticed() {
        let shared = share();
        let link = shared.to_string();
        let other = Pubkey::new_from_array([9; 32]).to_string();
        let moved = link.replace(&shared.address.to_string(), &other);
        assert!(matches!(moved.parse::<Share>(), Err(ShareError::Address { .. })));
        let (head, terms) = link.split_once("terms=").unwrap();
        for index in 0..terms.len() {
            let mut changed: Vec<char> = terms.chars().collect();
            changed[index] = if changed[index] == 'A' { 'B' } else { 'A' };
            let changed: String = changed.into_iter().collect();
            let read = format!("{head}terms={changed}").parse::<Share>();
            // Only bits that stand for nothing may differ.
            assert!(read.as_ref().map_or(true, |read| *read == shared), "{index}");
        }
        for cut in 1..link.len() {
            assert!(link[..cut].parse::<Share>().is_err(), "{cut}");
        }
        assert_eq!("hello".parse::<Share>(), Err(ShareError::NotAShare));
    }
}
