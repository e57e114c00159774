//! What a node answers, before it is believed.

use solana_account::Account;
use solana_account_decoder_client_types::{UiAccount, UiAccountData, UiAccountEncoding};

/// The account, if it is encoded as it was asked for: base 64. Other encodings are a node's way to make little into much,
/// of memory (zstd) or of time (base 58).
pub(crate) fn decode(account: &UiAccount) -> Option<Account> {
    match account.data {
        UiAccountData::Binary(_, UiAccountEncoding::Base64) => account.to_account(),
        _ => None,
    }
}
