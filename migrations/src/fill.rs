//! Filling the buffer, and closing it.

use escrow_client::transaction::{Lifetime, PACKET_SIZE, pack};
use futures_util::{StreamExt, TryStreamExt, stream};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_loader_v3_interface::{instruction as loader, state::UpgradeableLoaderState};
use solana_pubkey::Pubkey;
use solana_sdk_ids::bpf_loader_upgradeable;
use solana_signature::Signature;
use solana_signer::Signer;
use solana_system_interface::instruction as system;

use crate::{
    buffer::{self, Buffer},
    error::{Error, Result},
    migrator::{Event, Job, Migrator, OTHER_UNITS, WRITE_UNITS},
};

/// How often the buffer is read and what is missing is written, before this gives up. Once is enough but for forks.
const ROUNDS: u32 = 5;

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
    /// transaction: so that is not repeated either, however often this is.
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
            &buffer::seed(&job.program, job.elf.hash()),
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
        let owner = buffer::owner(&account).map_err(bad)?;
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
