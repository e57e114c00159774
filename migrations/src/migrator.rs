//! Reading, sending, and what deploying and upgrading have in common.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use escrow_client::{
    Confirmed, EscrowClient, Signed, Submitted, Unsigned,
    program::{ElfHash, Place, Program},
};
use solana_account::Account;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_loader_v3_interface::get_program_data_address;
use solana_pubkey::Pubkey;
use solana_signature::Signature;
use solana_signer::Signer;

use crate::{
    buffer::{self, Buffer},
    cost::Cost,
    elf::Elf,
    error::{Error, Result},
};

/// How many pieces are written at the same time, unless told otherwise. Public nodes answer some ten requests per
/// second.
const PARALLEL: usize = 8;

/// How often a step is sent anew after its transaction expired.
const ATTEMPTS: u32 = 5;

/// How often a transaction's outcome is waited for, each time as long as the client waits.
const CONFIRMATIONS: u32 = 3;

/// How long one waits for a node to show the slot that it has spoken of, and for the next slot.
const NEW_SLOT: Duration = Duration::from_secs(30);
const POLL_EVERY: Duration = Duration::from_millis(100);

/// Compute units of a transaction that writes: the loader 2,370 and two instructions of the compute budget 150 each.
/// More would only cost more, where units are paid for.
pub(crate) const WRITE_UNITS: u32 = 2_670;

/// Compute units of all other transactions: at most two instructions of the loader and four of the system program,
/// called or calling, of 150 each.
pub(crate) const OTHER_UNITS: u32 = 6_000;

/// What happens meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// What is needed is there. From now on it is spent.
    Affordable(&'a Cost),
    /// The buffer exists.
    Buffer {
        /// Its address.
        address: Pubkey,
        /// Whether it is one that was left behind by an earlier attempt.
        resumed: bool,
    },
    /// So many bytes are in the buffer, of so many.
    Written {
        /// Bytes that are there.
        done: usize,
        /// Bytes that must be there.
        total: usize,
    },
    /// The buffer is complete; the last transaction follows.
    Finishing,
}

/// Deploys, upgrades and reads programs through one RPC node.
#[derive(Clone)]
pub struct Migrator {
    client: EscrowClient,
    pub(crate) parallel: usize,
    pub(crate) unit_price: u64,
    observer: Arc<dyn Fn(Event<'_>) + Send + Sync>,
    /// The highest slot in which something was done: what the node shows of an earlier one is not to be believed.
    seen: Arc<AtomicU64>,
}

impl fmt::Debug for Migrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migrator")
            .field("client", &self.client)
            .field("parallel", &self.parallel)
            .field("unit_price", &self.unit_price)
            .finish_non_exhaustive()
    }
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The program, as it was read back.
    pub program: Pubkey,
    /// The account that holds its bytes.
    pub programdata: Pubkey,
    /// The slot in which its bytes were deployed.
    pub slot: u64,
    /// Who may upgrade it; nobody if there is none.
    pub upgrade_authority: Option<Pubkey>,
    /// The last transaction; none if there was nothing to do.
    pub signature: Option<Signature>,
    /// What the payer has less than before, in lamports: rent deposits and fees, and whatever else it paid meanwhile.
    pub spent: u64,
    /// A buffer for these bytes that is not needed any more, with its lamports: `close-buffer` returns them.
    pub left_behind: Option<(Pubkey, u64)>,
}

/// Who asks for what: the parts that deploying and upgrading share.
pub(crate) struct Job<'a> {
    pub elf: &'a Elf,
    pub program: Pubkey,
    pub payer: &'a Keypair,
    pub authority: &'a Keypair,
    pub buffer: Pubkey,
}

/// Everything that decides what is to be done, read in one moment.
pub(crate) struct Snapshot {
    pub place: Place,
    /// Lamports at the address of the program's bytes while there is no program.
    pub programdata_lamports: u64,
    pub buffer: Buffer,
    pub balance: u64,
}

impl Deployment {
    pub(crate) fn new(
        program: &Program,
        buffer: &Buffer,
        job: &Job<'_>,
        signature: Option<Signature>,
        spent: u64,
    ) -> Self {
        Self {
            program: program.address,
            programdata: program.programdata,
            slot: program.slot,
            upgrade_authority: program.upgrade_authority,
            signature,
            spent,
            left_behind: match buffer {
                Buffer::Usable { lamports, .. } => Some((job.buffer, *lamports)),
                Buffer::Vacant { .. } => None,
            },
        }
    }
}

impl<'a> Job<'a> {
    pub(crate) fn new(elf: &'a Elf, program: Pubkey, payer: &'a Keypair, authority: &'a Keypair) -> Result<Self> {
        let buffer = buffer::address(&authority.pubkey(), &program, elf.hash())?;
        Ok(Self { elf, program, payer, authority, buffer })
    }

    /// Whether `program` is what this is about: these bytes, under this authority.
    pub(crate) fn is_done(&self, program: &Program) -> bool {
        program.is(self.elf) && program.upgrade_authority == Some(self.authority.pubkey())
    }

    /// Payer and authority, who sign every transaction; often the same.
    pub(crate) fn signers(&self) -> Vec<&'a Keypair> {
        match self.payer.pubkey() == self.authority.pubkey() {
            true => vec![self.payer],
            false => vec![self.payer, self.authority],
        }
    }
}

impl Migrator {
    /// Everything through the node of `client`, at its commitment. `confirmed` is enough: what is done is read back,
    /// and the same request again repairs what a fork took away.
    pub fn new(client: EscrowClient) -> Self {
        Self { client, parallel: PARALLEL, unit_price: 0, observer: Arc::new(|_| {}), seen: Arc::default() }
    }

    /// The same, writing so many pieces at the same time; at least one.
    pub fn with_parallel(mut self, parallel: usize) -> Self {
        self.parallel = parallel.max(1);
        self
    }

    /// The same, paying so many millionths of a lamport per compute unit, so that a busy cluster prefers its
    /// transactions.
    pub fn with_unit_price(mut self, micro_lamports: u64) -> Self {
        self.unit_price = micro_lamports;
        self
    }

    /// The same, telling `observer` what happens.
    pub fn with_observer(mut self, observer: impl Fn(Event<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// The node, and the commitment.
    pub fn client(&self) -> &EscrowClient {
        &self.client
    }

    /// The program at `address`.
    ///
    /// # Errors
    ///
    /// [`Error::NotDeployed`], [`Error::Program`], [`Error::Client`].
    pub async fn program(&self, address: &Pubkey) -> Result<Program> {
        let [program, programdata] = self.accounts(&[*address, get_program_data_address(address)]).await?;
        match Place::read(*address, program.as_ref(), programdata.as_ref())? {
            Place::Deployed(program) => Ok(*program),
            Place::Vacant { .. } => Err(Error::NotDeployed { program: *address, url: self.client().url() }),
        }
    }

    /// The program at `address`, if it is the one with this sha256 ([`Program::is_hash`]).
    ///
    /// # Errors
    ///
    /// [`Error::OtherBytes`], and those of [`Migrator::program`].
    pub async fn verify(&self, address: &Pubkey, named: &ElfHash) -> Result<Program> {
        let program = self.program(address).await?;
        match program.is_hash(named) {
            true => Ok(program),
            false => Err(Error::OtherBytes { program: *address, deployed: program.hash(), named: *named }),
        }
    }

    pub(crate) fn tell(&self, event: Event<'_>) {
        (self.observer)(event);
    }

    /// What a transaction costs with so many signatures and at most so many compute units. Lamports.
    pub(crate) fn fee(&self, signatures: usize, units: u32) -> u64 {
        escrow_client::transaction::budget::cost(signatures, units, self.unit_price)
    }

    /// `instructions` as they are sent: behind what buys priority, if any is bought.
    pub(crate) fn priced(&self, instructions: &[Instruction], units: u32) -> Vec<Instruction> {
        let mut priced = Vec::with_capacity(instructions.len() + 2);
        if self.unit_price > 0 {
            priced.push(ComputeBudgetInstruction::set_compute_unit_limit(units));
            priced.push(ComputeBudgetInstruction::set_compute_unit_price(self.unit_price));
        }
        priced.extend_from_slice(instructions);
        priced
    }

    /// Sends, until it is executed; the first signer pays. Another transaction is only made when the one before can
    /// never be executed any more.
    pub(crate) async fn send(
        &self,
        instructions: &[Instruction],
        units: u32,
        signers: &[&Keypair],
    ) -> Result<Confirmed> {
        let instructions = self.priced(instructions, units);
        let payer = signers.first().map(|payer| payer.pubkey()).unwrap_or_default();
        let mut signature = Signature::default();
        for _ in 0..ATTEMPTS {
            let unsigned = self.client.prepare(&instructions, &payer).await?;
            self.client.simulate(&unsigned).await?;
            let signed = unsigned.sign(signers).and_then(Unsigned::complete).map_err(escrow_client::Error::from)?;
            signature = signed.signature();
            match self.confirm(signed).await {
                Err(escrow_client::Error::Expired { .. }) => {}
                Ok(confirmed) => {
                    self.seen.fetch_max(confirmed.slot, Ordering::Relaxed);
                    return Ok(confirmed);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Congested { attempts: ATTEMPTS, signature })
    }

    /// Waits for what becomes of it, also where nobody can tell for a while.
    async fn confirm(&self, signed: Signed) -> escrow_client::Result<Confirmed> {
        let submitted = Submitted::perhaps(signed);
        for _ in 1..CONFIRMATIONS {
            match self.client.confirm(&submitted).await {
                Err(escrow_client::Error::Unknown { .. }) => {}
                other => return other,
            }
        }
        self.client.confirm(&submitted).await
    }

    /// These accounts, all of the same moment, and not of one before the last transaction that was seen.
    pub(crate) async fn accounts<const N: usize>(&self, addresses: &[Pubkey; N]) -> Result<[Option<Account>; N]> {
        let start = Instant::now();
        loop {
            let commitment = self.client.commitment();
            let answer = self.client.rpc().get_multiple_accounts_with_commitment(addresses, commitment).await;
            let answer = answer.map_err(|source| self.rpc_error(source))?;
            if answer.context.slot >= self.seen.load(Ordering::Relaxed) {
                return answer.value.try_into().map_err(|value: Vec<_>| {
                    let reason = format!("{} accounts, asked for {N}", value.len());
                    escrow_client::Error::Answer { url: self.client.url(), reason }.into()
                });
            }
            self.wait_since(start, answer.context.slot).await?;
        }
    }

    /// Waits until the node has passed `slot`: the loader changes a program once per slot only.
    pub(crate) async fn wait_for_slot_after(&self, slot: u64) -> Result<()> {
        let start = Instant::now();
        loop {
            let now = self.client.rpc().get_slot_with_commitment(self.client.commitment()).await;
            let now = now.map_err(|source| self.rpc_error(source))?;
            if now > slot {
                return Ok(());
            }
            self.wait_since(start, now).await?;
        }
    }

    async fn wait_since(&self, start: Instant, slot: u64) -> Result<()> {
        if start.elapsed() > NEW_SLOT {
            return Err(Error::NoNewSlot { url: self.client.url(), slot, seconds: NEW_SLOT.as_secs() });
        }
        tokio::time::sleep(POLL_EVERY).await;
        Ok(())
    }

    /// The rent deposit of an account with so many bytes. Lamports.
    pub(crate) async fn rent(&self, len: usize) -> Result<u64> {
        let rent = self.client.rpc().get_minimum_balance_for_rent_exemption(len).await;
        rent.map_err(|source| self.rpc_error(source))
    }

    pub(crate) async fn snapshot(&self, job: &Job<'_>) -> Result<Snapshot> {
        let programdata = get_program_data_address(&job.program);
        let addresses = [job.program, programdata, job.buffer, job.payer.pubkey()];
        let [program, programdata, buffer, payer] = self.accounts(&addresses).await?;
        Ok(Snapshot {
            place: Place::read(job.program, program.as_ref(), programdata.as_ref())?,
            programdata_lamports: programdata.map_or(0, |account| account.lamports),
            buffer: Buffer::read(job.buffer, job.authority.pubkey(), job.elf.bytes().len(), buffer)?,
            balance: payer.map_or(0, |account| account.lamports),
        })
    }

    /// The last transaction. If it is refused because the same was done meanwhile, by an earlier attempt whose
    /// transaction arrived late, then it is done.
    pub(crate) async fn finish(
        &self,
        job: &Job<'_>,
        instructions: &[Instruction],
        signers: &[&Keypair],
        balance_before: u64,
    ) -> Result<Deployment> {
        self.tell(Event::Finishing);
        let sent = self.send(instructions, OTHER_UNITS, signers).await;
        let sent = match sent {
            Err(error) if !error.is_refusal() => return Err(error),
            sent => sent,
        };
        let snapshot = self.snapshot(job).await?;
        match (snapshot.place, sent) {
            (Place::Deployed(program), sent) if job.is_done(&program) => {
                let signature = sent.ok().map(|confirmed| confirmed.signature);
                let spent = balance_before.saturating_sub(snapshot.balance);
                Ok(Deployment::new(&program, &snapshot.buffer, job, signature, spent))
            }
            (_, Err(error)) => Err(error),
            (_, Ok(confirmed)) => Err(Error::NotSeen { signature: confirmed.signature, url: self.client.url() }),
        }
    }

    pub(crate) fn rpc_error(&self, source: solana_client::client_error::ClientError) -> Error {
        escrow_client::Error::Rpc { url: self.client.url(), source: Box::new(source) }.into()
    }
}
