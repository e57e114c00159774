//! The buffer: where it is, what is in it, and what is not in it yet.

use escrow_client::transaction::{Lifetime, PACKET_SIZE, pack};
use futures_util::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};
use solana_account::Account;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_loader_v3_interface::{instruction as loader, state::UpgradeableLoaderState};
use solana_pubkey::Pubkey;
use solana_sdk_ids::{bpf_loader_upgradeable, system_program};
use solana_signature::Signature;
use solana_signer::Signer;
use solana_system_interface::instruction as system;

use crate::{
    ElfHash, Error, Event, Migrator, Result,
    migrator::{Job, OTHER_UNITS, WRITE_UNITS},
    program,
};

/// What the seed of a buffer's address is made from first. Another version finds other buffers.
const SEED_DOMAIN: &[u8] = b"escrow-migrate:buffer:v1";

/// How often the buffer is read and what is missing is written, before this gives up. Once is enough but for forks.
const ROUNDS: u32 = 5;

/// The address of the buffer for the bytes with this sha256, which `authority` writes to deploy or upgrade `program`.
///
/// It is derived from the authority's address and a seed (`create_with_seed`, owned by the loader), the seed being 32
/// hexadecimal digits of `sha256("escrow-migrate:buffer:v1" ‖ program ‖ sha256)`. Only a signature of the authority
/// creates an account there, so nobody can put another one in its place; lamports that somebody sends there in advance
/// are no obstacle, and come back with the rent.
///
/// # Errors
///
/// None in practice: [`Error::Build`] for an address that the system program would not derive.
pub fn address(authority: &Pubkey, program: &Pubkey, hash: &ElfHash) -> Result<Pubkey> {
    Pubkey::create_with_seed(authority, &seed(program, hash), &bpf_loader_upgradeable::ID)
        .map_err(|error| Error::Build(error.to_string()))
}

fn seed(program: &Pubkey, hash: &ElfHash) -> String {
    let digest = Sha256::new_with_prefix(SEED_DOMAIN).chain_update(program).chain_update(hash.to_bytes()).finalize();
    // A seed has at most 32 bytes.
    hex::encode(&digest[..16])
}

/// What is at the address of the buffer.
pub(crate) enum Buffer {
    /// Nothing, or lamports that somebody sent in advance.
    Vacant { lamports: u64 },
    /// A buffer of the right length that is ours to write.
    Usable { bytes: Vec<u8>, lamports: u64 },
}

impl Buffer {
    pub(crate) fn read(job: &Job<'_>, account: Option<Account>) -> Result<Self> {
        let bad = |reason: String| Error::BadBuffer { address: job.buffer, reason };
        let Some(account) = account else { return Ok(Self::Vacant { lamports: 0 }) };
        if account.owner == system_program::ID && account.data.is_empty() {
            return Ok(Self::Vacant { lamports: account.lamports });
        }
        let authority = owner(&account).map_err(bad)?;
        if authority != job.authority.pubkey() {
            return Err(bad(format!("its authority is {authority}, not {}", job.authority.pubkey())));
        }
        let bytes = account.data.get(UpgradeableLoaderState::size_of_buffer_metadata()..).unwrap_or_default();
        if bytes.len() != job.elf.bytes().len() {
            let (is, wanted) = (bytes.len(), job.elf.bytes().len());
            return Err(bad(format!("it has room for {is} bytes, not for {wanted}; close it with `close-buffer`")));
        }
        Ok(Self::Usable { bytes: bytes.to_vec(), lamports: account.lamports })
    }

    pub(crate) fn lamports(&self) -> u64 {
        match self {
            Self::Vacant { lamports } | Self::Usable { lamports, .. } => *lamports,
        }
    }

    /// The pieces of `elf` that are not there, with their offsets. A new buffer is full of zeros.
    pub(crate) fn missing<'a>(&self, elf: &'a [u8], piece: usize) -> Vec<(usize, &'a [u8])> {
        let pieces = elf.chunks(piece.max(1)).enumerate().map(|(index, wanted)| (index * piece, wanted));
        pieces
            .filter(|(offset, wanted)| match self {
                Self::Usable { bytes, .. } => bytes.get(*offset..offset + wanted.len()) != Some(*wanted),
                Self::Vacant { .. } => wanted.iter().any(|byte| *byte != 0),
            })
            .collect()
    }
}

/// The authority of a buffer, or why it is none that can be used.
fn owner(account: &Account) -> std::result::Result<Pubkey, String> {
    match program::state(account) {
        Some(UpgradeableLoaderState::Buffer { authority_address: Some(authority) }) => Ok(authority),
        Some(UpgradeableLoaderState::Buffer { authority_address: None }) => {
            Err("it has no authority, so nobody can write to it or close it".to_owned())
        }
        Some(_) => Err("it is an account of the loader, but not a buffer".to_owned()),
        None => Err(format!("it belongs to {}", account.owner)),
    }
}

/// A buffer that was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClosedBuffer {
    /// Its address.
    pub address: Pubkey,
    /// What it held, in lamports.
    pub lamports: u64,
    /// Who has that now.
    pub recipient: Pubkey,
    /// The transaction.
    pub signature: Signature,
}

impl Migrator {
    /// How many bytes of the program fit into one transaction.
    pub(crate) fn piece(&self, job: &Job<'_>) -> Result<usize> {
        // Long enough for the length of the instruction to take as many bytes as it will.
        const SAMPLE: usize = 512;
        let write = loader::write(&job.buffer, &job.authority.pubkey(), 0, vec![0; SAMPLE]);
        let lifetime = Lifetime::default();
        let sample = self.priced(&[write], WRITE_UNITS);
        let len =
            pack::size(&sample, &job.payer.pubkey(), &lifetime).map_err(|error| Error::Build(error.to_string()))?;
        (PACKET_SIZE + SAMPLE).checked_sub(len).ok_or_else(|| Error::Build("a transaction has no room".to_owned()))
    }

    /// Creates the buffer, with `deposit` lamports more than there are at its address, and runs `also` in the same
    /// transaction: so that happens exactly once, too, however often this is repeated.
    async fn create_buffer(&self, job: &Job<'_>, deposit: u64, also: Option<Instruction>) -> Result<()> {
        let (payer, authority, len) = (job.payer.pubkey(), job.authority.pubkey(), job.elf.bytes().len());
        // Not `create_account_with_seed`: that fails where somebody has sent lamports in advance.
        let mut instructions = Vec::new();
        if deposit > 0 {
            instructions.push(system::transfer(&payer, &job.buffer, deposit));
        }
        instructions.push(system::allocate_with_seed(
            &job.buffer,
            &authority,
            &seed(&job.program, job.elf.hash()),
            UpgradeableLoaderState::size_of_buffer(len) as u64,
            &bpf_loader_upgradeable::ID,
        ));
        // The second of the two that it gives; the first is `create_account`.
        let created = loader::create_buffer(&payer, &job.buffer, &authority, 0, len);
        instructions.extend(created.map_err(|error| Error::Build(error.to_string()))?.into_iter().skip(1));
        instructions.extend(also);
        let sent = self.send(&instructions, OTHER_UNITS, &job.signers()).await;
        match sent {
            Ok(_) => Ok(()),
            // An earlier attempt's transaction may have arrived late. Then it is there, and all of this with it.
            Err(error) if error.is_refusal() => match self.snapshot(job).await?.buffer {
                Buffer::Usable { .. } => Ok(()),
                Buffer::Vacant { .. } => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    /// Makes the buffer hold the bytes, whatever it holds now.
    pub(crate) async fn fill_buffer(
        &self,
        job: &Job<'_>,
        buffer: Buffer,
        deposit: u64,
        also: Option<Instruction>,
    ) -> Result<()> {
        let resumed = matches!(buffer, Buffer::Usable { .. });
        let mut buffer = buffer;
        if !resumed {
            self.create_buffer(job, deposit, also).await?;
            buffer = self.snapshot(job).await?.buffer;
        }
        self.tell(Event::Buffer { address: job.buffer, resumed });
        self.write_buffer(job, buffer).await.map_err(|error| error.half_way(job.buffer))
    }

    async fn write_buffer(&self, job: &Job<'_>, mut buffer: Buffer) -> Result<()> {
        let (elf, piece) = (job.elf.bytes(), self.piece(job)?);
        let signers = job.signers();
        for _ in 0..ROUNDS {
            let missing = buffer.missing(elf, piece);
            let mut done = elf.len() - missing.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
            self.tell(Event::Written { done, total: elf.len() });
            if missing.is_empty() {
                return Ok(());
            }
            let mut writing = stream::iter(missing)
                .map(|(offset, bytes)| self.write(job, &signers, offset, bytes))
                .buffer_unordered(self.parallel);
            while let Some(len) = writing.try_next().await? {
                done += len;
                self.tell(Event::Written { done, total: elf.len() });
            }
            // What is on chain decides.
            buffer = self.snapshot(job).await?.buffer;
        }
        match buffer.missing(elf, piece).len() {
            0 => Ok(()),
            missing => Err(Error::BufferNotFilled { address: job.buffer, missing, rounds: ROUNDS }),
        }
    }

    async fn write(&self, job: &Job<'_>, signers: &[&Keypair], offset: usize, bytes: &[u8]) -> Result<usize> {
        let offset = u32::try_from(offset).map_err(|error| Error::Build(error.to_string()))?;
        let write = loader::write(&job.buffer, &job.authority.pubkey(), offset, bytes.to_vec());
        self.send(&[write], WRITE_UNITS, signers).await?;
        Ok(bytes.len())
    }

    /// Closes the buffer at `address`, whatever is in it; `payer` receives what it held, and pays the fee.
    ///
    /// # Errors
    ///
    /// [`Error::NoBuffer`], [`Error::BadBuffer`] for what is no buffer or somebody else's, [`Error::Client`].
    pub async fn close_buffer(&self, address: &Pubkey, payer: &Keypair, authority: &Keypair) -> Result<ClosedBuffer> {
        let bad = |reason: String| Error::BadBuffer { address: *address, reason };
        let [account] = self.accounts(&[*address]).await?;
        let account = account.ok_or(Error::NoBuffer { address: *address })?;
        let owner = owner(&account).map_err(bad)?;
        if owner != authority.pubkey() {
            return Err(bad(format!("its authority is {owner}, not {}", authority.pubkey())));
        }
        let recipient = payer.pubkey();
        let close = loader::close(address, &recipient, &owner, false);
        let signers = match recipient == owner {
            true => vec![payer],
            false => vec![payer, authority],
        };
        let confirmed = self.send(&[close], OTHER_UNITS, &signers).await?;
        Ok(ClosedBuffer { address: *address, lamports: account.lamports, recipient, signature: confirmed.signature })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_depends_on_who_what_and_where() {
        let [a, b, program] = std::array::from_fn(|_| Pubkey::new_unique());
        let (one, two) = (ElfHash::of(b"one"), ElfHash::of(b"two"));
        let first = address(&a, &program, &one).unwrap();
        assert_eq!(address(&a, &program, &one).unwrap(), first);
        for other in [address(&b, &program, &one), address(&a, &b, &one), address(&a, &program, &two)] {
            assert_ne!(other.unwrap(), first);
        }
    }

    #[test]
    fn only_what_differs_is_missing() {
        let elf = b"aaaabbbb\0\0\0\0cc";
        let new = Buffer::Vacant { lamports: 0 };
        assert_eq!(new.missing(elf, 4), [(0, &b"aaaa"[..]), (4, b"bbbb"), (12, b"cc")]);
        let usable = |bytes: &[u8]| Buffer::Usable { bytes: bytes.to_vec(), lamports: 0 };
        assert!(usable(elf).missing(elf, 4).is_empty());
        assert_eq!(usable(b"aaaabxbb\0\0\0\0cc").missing(elf, 4), [(4, &b"bbbb"[..])]);
        assert_eq!(usable(b"aaaabbbb\0x\0\0cx").missing(elf, 4), [(8, &b"\0\0\0\0"[..]), (12, b"cc")]);
        // Written with pieces of another length, by an attempt that paid for priority: still found.
        assert_eq!(usable(b"aaaa\0\0\0\0\0\0\0\0\0\0").missing(elf, 8), [(0, &b"aaaabbbb"[..]), (8, b"\0\0\0\0cc")]);
    }
}
