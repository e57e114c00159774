//! Which tokens are the stablecoins that people mean by their symbols, and which only look like them: anybody can call a token
//! USDC.

use anchor_lang::{Id, programs::Token2022};
use solana_account::Account;
use solana_pubkey::Pubkey;

use super::{cluster::Cluster, read::EscrowClient};
use crate::{
    Result,
    alike::{Alike, alike},
};

/// A token that its issuer exchanges for money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stablecoin {
    /// Its symbol.
    pub symbol: &'static str,
    /// Who issues it.
    pub issuer: &'static str,
    /// Its mint.
    pub mint: Pubkey,
    /// Where that is.
    pub cluster: Cluster,
}

/// A short list: what is not on it is not known, which says nothing against it.
const STABLECOINS: [Stablecoin; 5] = [
    known(Cluster::Mainnet, "USDC", "Circle", "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"),
    known(Cluster::Mainnet, "USDT", "Tether", "Es9vMFrzaCERmJfrF4H2FYD4KCoNkY11McCe8BenwNYB"),
    known(Cluster::Mainnet, "PYUSD", "PayPal", "2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo"),
    known(Cluster::Mainnet, "EURC", "Circle", "HzwqbKZw8HxMN6bF2yFZNrht3c2iXXzpKcFu7uBEDKtr"),
    known(Cluster::Devnet, "USDC", "Circle", "4zMMC9srt5Ri5X14GAgXhaHii3GnPAEERYPJgZJDncDU"),
];

const fn known(cluster: Cluster, symbol: &'static str, issuer: &'static str, mint: &'static str) -> Stablecoin {
    Stablecoin { symbol, issuer, mint: Pubkey::from_str_const(mint), cluster }
}

/// What a mint is to those who know the stablecoins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// It is this one.
    Stablecoin(Stablecoin),
    /// It is not this one, and its issuer gave it a symbol that reads the same.
    SymbolOf {
        /// The one that it is taken for.
        stablecoin: Stablecoin,
        /// How it is spelled.
        symbol: String,
    },
    /// It is not this one, and its address looks the same.
    AddressOf(Stablecoin),
    /// Nothing is known of it.
    Unknown,
}

/// What the mint at `address` is, with the symbol that its issuer gave it.
pub fn identity(cluster: Cluster, address: &Pubkey, symbol: Option<&str>) -> Identity {
    let here = || STABLECOINS.into_iter().filter(|known| known.cluster == cluster);
    if let Some(known) = here().find(|known| known.mint == *address) {
        return Identity::Stablecoin(known);
    }
    let symbol = symbol.unwrap_or_default();
    // On a cluster whose stablecoins nobody knows, a symbol means nothing at all.
    let same = |known: &Stablecoin| known.symbol == skeleton(symbol);
    if let Some(stablecoin) = here().find(same) {
        return Identity::SymbolOf { stablecoin, symbol: symbol.to_owned() };
    }
    here().find(|known| alike(&known.mint, address) != Alike::No).map_or(Identity::Unknown, Identity::AddressOf)
}

/// What people read in a symbol: letters that look the same are the same, and what is not seen is not there.
fn skeleton(symbol: &str) -> String {
    let seen = symbol.chars().flat_map(char::to_uppercase).filter_map(|letter| match letter {
        'А' | 'Α' => Some('A'),
        'В' | 'Β' => Some('B'),
        'С' | 'Ϲ' => Some('C'),
        'Е' | 'Ε' => Some('E'),
        'Ѕ' | '5' | '$' => Some('S'),
        'Т' | 'Τ' => Some('T'),
        'Υ' | 'У' | 'Ү' => Some('Y'),
        'Р' | 'Ρ' => Some('P'),
        'Ս' | '∪' => Some('U'),
        '0' => Some('O'),
        letter if letter.is_alphanumeric() => Some(letter),
        _ => None,
    });
    seen.collect()
}

/// Where Metaplex's program keeps what a token is called.
const METAPLEX: Pubkey = Pubkey::from_str_const("metaqbxxUerdq28cj1RbAWkYQm3ybzjb6a8bt518x1s");

/// The longest symbol that is repeated, in characters: anybody may write anything there.
const LONGEST: usize = 20;

/// Token-2022's number for what a token is called, in the mint itself.
const METADATA_EXTENSION: u16 = 19;

/// Behind the padding of a mint with extensions.
const EXTENSIONS: usize = 166;

impl EscrowClient {
    /// The symbol that its issuer gave the token, in the mint itself or where Metaplex keeps it; none where there is none. It
    /// proves nothing.
    ///
    /// # Errors
    ///
    /// Where the node does not answer.
    pub async fn symbol(&self, mint: &Pubkey) -> Result<Option<String>> {
        let seeds = [b"metadata".as_slice(), METAPLEX.as_array(), mint.as_array()];
        let (beside, _) = Pubkey::find_program_address(&seeds, &METAPLEX);
        let found = self.accounts(&[*mint, beside]).await?;
        let [in_mint, beside] = [found.first(), found.get(1)].map(|found| found.and_then(Option::as_ref));
        let in_mint = in_mint.filter(|account| account.owner == Token2022::id()).and_then(in_extension);
        let beside = || beside.filter(|account| account.owner == METAPLEX).and_then(in_metaplex);
        Ok(in_mint.or_else(beside).map(|symbol| printable(&symbol)).filter(|symbol| !symbol.is_empty()))
    }

    /// What the mint is to those who know the stablecoins.
    ///
    /// # Errors
    ///
    /// Where the node does not answer.
    pub async fn identity(&self, mint: &Pubkey) -> Result<Identity> {
        Ok(identity(self.cluster().await?, mint, self.symbol(mint).await?.as_deref()))
    }
}

fn printable(symbol: &str) -> String {
    symbol.trim_matches('\0').trim().chars().filter(|letter| !letter.is_control()).take(LONGEST).collect()
}

/// Layout: authority 32, mint 32, name, symbol, and more.
fn in_extension(account: &Account) -> Option<String> {
    let mut entries = account.data.get(EXTENSIONS..)?;
    loop {
        let (kind, rest) = entries.split_first_chunk::<2>()?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (value, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        match u16::from_le_bytes(*kind) {
            METADATA_EXTENSION => return second_text(value.get(64..)?),
            0 => return None,
            _ => entries = rest,
        }
    }
}

/// Layout: kind 1, authority 32, mint 32, name, symbol, and more.
fn in_metaplex(account: &Account) -> Option<String> {
    second_text(account.data.get(65..)?)
}

/// The second of several texts, each behind its length in 4 bytes.
fn second_text(data: &[u8]) -> Option<String> {
    let (_, rest) = text(data)?;
    text(rest).map(|(symbol, _)| symbol)
}

fn text(data: &[u8]) -> Option<(String, &[u8])> {
    let (length, rest) = data.split_first_chunk::<4>()?;
    let (text, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    Some((String::from_utf8_lossy(text).into_owned(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const USDC: &str = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v";

    fn of(cluster: Cluster, address: &str, symbol: &str) -> Identity {
        identity(cluster, &address.parse().unwrap(), Some(symbol))
    }

    #[test]
    fn a_stablecoin_is_known_by_its_address_on_its_own_cluster_alone() {
        assert!(
            matches!(of(Cluster::Mainnet, USDC, "anything"), Identity::Stablecoin(known) if known.symbol == "USDC")
        );
        assert_eq!(of(Cluster::Devnet, USDC, ""), Identity::Unknown);
        assert_eq!(of(Cluster::Private { genesis: [1; 32] }, USDC, "USDC"), Identity::Unknown);
        let other = Pubkey::new_from_array([7; 32]).to_string();
        assert_eq!(of(Cluster::Mainnet, &other, "WIF"), Identity::Unknown);
        assert_eq!(identity(Cluster::Mainnet, &other.parse().unwrap(), None), Identity::Unknown);
    }

    #[test]
    fn what_reads_the_same_is_another_token() {
        let other = Pubkey::new_from_array([7; 32]).to_string();
        for (symbol, of_which) in [
            ("USDC", "USDC"),
            ("usdc", "USDC"),
            ("USD С", "USDC"),
            ("U5DC", "USDC"),
            ("USDC\u{200b}", "USDC"),
            ("USÐT", ""),
            ("USD\u{3a4}", "USDT"),
            ("E∪RC", "EURC"),
        ] {
            let found = of(Cluster::Mainnet, &other, symbol);
            match of_which {
                "" => assert_eq!(found, Identity::Unknown, "{symbol}"),
                wanted => assert!(
                    matches!(&found, Identity::SymbolOf { stablecoin, .. } if stablecoin.symbol == wanted),
                    "{symbol}: {found:?}"
                ),
            }
        }
        // Another address that begins and ends like the real one.
        let mut alike = USDC.to_owned();
        alike.replace_range(20..21, "2");
        let found = of(Cluster::Mainnet, &alike, "");
        assert!(matches!(found, Identity::AddressOf(known) if known.symbol == "USDC"), "{found:?}");
    }

    #[test]
    fn a_symbol_is_read_where_token_2022_and_metaplex_keep_it() {
        let texts = |symbol: &str| {
            let one = |text: &str| [&u32::try_from(text.len()).unwrap().to_le_bytes(), text.as_bytes()].concat();
            [one("USD Coin\0\0"), one(symbol), one("https://")].concat()
        };
        let account = |data: Vec<u8>| Account { data, ..Account::default() };
        let metadata = [vec![0; 64], texts("USDC")].concat();
        let entry = |kind: u16, value: &[u8]| {
            [&kind.to_le_bytes(), &u16::try_from(value.len()).unwrap().to_le_bytes(), value].concat()
        };
        let mint = [vec![0; EXTENSIONS], entry(18, &[0; 64]), entry(METADATA_EXTENSION, &metadata)].concat();
        assert_eq!(in_extension(&account(mint.clone())).as_deref(), Some("USDC"));
        assert_eq!(in_extension(&account([vec![0; EXTENSIONS], entry(18, &[0; 64])].concat())), None);
        let beside = [vec![4; 65], texts("USDC\0\0\0\0\0\0")].concat();
        assert_eq!(in_metaplex(&account(beside.clone())).map(|symbol| printable(&symbol)).as_deref(), Some("USDC"));
        // What is cut off anywhere is no symbol, and no panic.
        for data in [mint, beside] {
            for length in 0..data.len() {
                let cut = account(data[..length].to_vec());
                let _ = (in_extension(&cut), in_metaplex(&cut));
            }
        }
        assert_eq!(printable(" U\u{7}SDC\0\0"), "USDC");
    }
}
