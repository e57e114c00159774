//! Deploying a program for the first time.

use escrow_client::program::Place;
use solana_keypair::Keypair;
use solana_loader_v3_interface::{get_program_data_address, instruction as loader, state::UpgradeableLoaderState};
use solana_pubkey::Pubkey;
use solana_sdk_ids::bpf_loader_upgradeable;
use solana_signer::Signer;
use solana_system_interface::instruction as system;

use crate::{
    buffer::Buffer,
    cost::Cost,
    elf::{Elf, MAX_LEN},
    error::{Error, Result},
    migrator::{Deployment, Event, Job, Migrator, OTHER_UNITS, Snapshot, WRITE_UNITS},
};

/// What to deploy.
#[derive(Debug, Clone, Copy)]
pub struct Deploy<'a> {
    /// The bytes.
    pub elf: &'a Elf,
    /// The keypair of the program's address. Needed this once; upgrades need the authority only.
    pub program: &'a Keypair,
    /// The address that the program's source declares, where the program refuses to run at any other, as the escrow
    /// program does: the keypair must have that address and the bytes must contain it. None: anywhere will do.
    pub declared: Option<Pubkey>,
    /// Who pays, and gets the buffer's rent back.
    pub payer: &'a Keypair,
    /// Who may upgrade the program, and owns the buffer.
    pub authority: &'a Keypair,
    /// The longest file that an upgrade may bring without extending the program first, in bytes. None: this file's.
    pub max_len: Option<usize>,
}

impl Deploy<'_> {
    /// What can be said without asking the chain.
    fn check(&self) -> Result<usize> {
        if let Some(declared) = self.declared {
            if self.program.pubkey() != declared {
                return Err(Error::OtherAddress { address: self.program.pubkey(), declared });
            }
            if !self.elf.contains_address(&declared) {
                return Err(Error::AddressNotInElf { declared });
            }
        }
        let (len, max_len) = (self.elf.bytes().len(), self.max_len.unwrap_or(self.elf.bytes().len()));
        match len > max_len || max_len > MAX_LEN {
            true => Err(Error::TooLarge { len: len.max(max_len), max: max_len.min(MAX_LEN) }),
            false => Ok(max_len),
        }
    }
}

impl Migrator {
    /// Deploys a program, or goes on where an earlier attempt was interrupted. If exactly this is deployed already,
    /// there is nothing to do, and that is a success.
    ///
    /// # Errors
    ///
    /// Before anything is sent: [`Error::OtherAddress`], [`Error::AddressNotInElf`], [`Error::TooLarge`],
    /// [`Error::AlreadyDeployed`], [`Error::Program`], [`Error::ProgramDataFunded`],
    /// [`Error::BadBuffer`], [`Error::InsufficientFunds`]. Afterwards [`Error::HalfWay`], most often: the same request
    /// goes on from there.
    pub async fn deploy(&self, request: &Deploy<'_>) -> Result<Deployment> {
        let max_len = request.check()?;
        let program = request.program.pubkey();
        let job = Job::new(request.elf, program, request.payer, request.authority)?;
        let snapshot = self.snapshot(&job).await?;
        let prefunded = match &snapshot.place {
            Place::Deployed(deployed) if job.is_done(deployed) => {
                return Ok(Deployment::new(deployed, &snapshot.buffer, &job, None, 0));
            }
            Place::Deployed(deployed) => {
                return Err(Error::AlreadyDeployed {
                    program,
                    slot: deployed.slot,
                    hash: deployed.hash(),
                    authority: deployed.upgrade_authority,
                });
            }
            Place::Vacant { lamports } => *lamports,
        };
        if snapshot.programdata_lamports > 0 {
            return Err(Error::ProgramDataFunded {
                program,
                programdata: get_program_data_address(&program),
                lamports: snapshot.programdata_lamports,
            });
        }

        let program_deposit = self.rent(UpgradeableLoaderState::size_of_program()).await?.saturating_sub(prefunded);
        let programdata_rent = self.rent(UpgradeableLoaderState::size_of_programdata(max_len)).await?;
        let mut signers = job.signers();
        signers.push(request.program);
        let last_fee = self.fee(signers.len(), OTHER_UNITS);
        let mut cost = self.buffer_cost(&job, &snapshot, last_fee).await?;
        cost.program = program_deposit.saturating_add(programdata_rent);
        // The loader pays the buffer's lamports out before it takes those for the program's bytes; the program's own
        // account is paid for before that.
        let until_then = cost.buffer.saturating_add(program_deposit);
        let after = cost.program.saturating_sub(snapshot.buffer.lamports());
        cost.needed = cost.needed.saturating_add(until_then.max(after));
        self.check_affordable(&cost)?;

        self.fill_buffer(&job, snapshot.buffer, cost.buffer, None).await?;

        let payer = request.payer.pubkey();
        // Not `create_account`, which is the first of the two that the loader's interface gives: that fails where
        // somebody has sent lamports in advance.
        let mut instructions = Vec::new();
        if program_deposit > 0 {
            instructions.push(system::transfer(&payer, &program, program_deposit));
        }
        instructions.push(system::allocate(&program, UpgradeableLoaderState::size_of_program() as u64));
        instructions.push(system::assign(&program, &bpf_loader_upgradeable::ID));
        let authority = request.authority.pubkey();
        let deploy = loader::deploy_with_max_program_len(&payer, &program, &job.buffer, &authority, 0, max_len, true);
        instructions.extend(deploy.map_err(|error| Error::Build(error.to_string()))?.into_iter().skip(1));
        let done = self.finish(&job, &instructions, &signers, snapshot.balance).await;
        done.map_err(|error| error.half_way(job.buffer))
    }

    /// What creating and writing the buffer costs, and `last_fee`. In `needed`, so far, the fees and what the payer
    /// must keep.
    pub(crate) async fn buffer_cost(&self, job: &Job<'_>, snapshot: &Snapshot, last_fee: u64) -> Result<Cost> {
        let signatures = job.signers().len();
        let rent = self.rent(UpgradeableLoaderState::size_of_buffer(job.elf.bytes().len())).await?;
        let (deposit, create_fee) = match snapshot.buffer {
            Buffer::Vacant { lamports } => (rent.saturating_sub(lamports), Some(self.fee(signatures, OTHER_UNITS))),
            Buffer::Usable { .. } => (0, None),
        };
        let writes = snapshot.buffer.missing(job.elf.bytes(), self.piece(job)?).len() as u64;
        let fees = self
            .fee(signatures, WRITE_UNITS)
            .saturating_mul(writes)
            .saturating_add(create_fee.unwrap_or(0))
            .saturating_add(last_fee);
        Ok(Cost {
            payer: job.payer.pubkey(),
            buffer: deposit,
            program: 0,
            fees,
            transactions: writes + u64::from(create_fee.is_some()) + 1,
            needed: fees.saturating_add(self.rent(0).await?),
            available: snapshot.balance,
        })
    }

    pub(crate) fn check_affordable(&self, cost: &Cost) -> Result<()> {
        if cost.available < cost.needed {
            return Err(Error::InsufficientFunds { cost: Box::new(cost.clone()) });
        }
        self.tell(Event::Affordable(cost));
        Ok(())
    }
}
