//! Putting other bytes into the place of a program.

use escrow_client::program::{Place, Program};
use solana_keypair::Keypair;
use solana_loader_v3_interface::{
    instruction::{self as loader, MINIMUM_EXTEND_PROGRAM_BYTES},
    state::UpgradeableLoaderState,
};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

use crate::{
    authority::check_authority,
    buffer::Buffer,
    elf::{Elf, MAX_LEN},
    error::{Error, Result},
    migrator::{Deployment, Job, Migrator, OTHER_UNITS},
};

/// What to upgrade, and to what.
#[derive(Debug, Clone, Copy)]
pub struct Upgrade<'a> {
    /// The new bytes.
    pub elf: &'a Elf,
    /// The program's address.
    pub program: Pubkey,
    /// The address that the new program's source declares, where it refuses to run at any other: it must be `program`,
    /// and the bytes must contain it. None: anywhere will do.
    pub declared: Option<Pubkey>,
    /// Who pays, and gets the buffer's rent back.
    pub payer: &'a Keypair,
    /// Who may upgrade the program, and owns the buffer.
    pub authority: &'a Keypair,
}

/// By how many bytes a program must be extended to hold `len`; 0 if it can. Clusters refuse extensions by less than
/// 10 KiB (SIMD-0431), unless it is by all that is left.
fn extension(max_len: usize, len: usize) -> usize {
    match len.saturating_sub(max_len) {
        0 => 0,
        missing => missing.max(MINIMUM_EXTEND_PROGRAM_BYTES as usize).min(MAX_LEN.saturating_sub(max_len)),
    }
}

impl Migrator {
    /// Upgrades a program, or goes on where an earlier attempt was interrupted. If these bytes are deployed already,
    /// there is nothing to do, and that is a success.
    ///
    /// The program is extended first if the new bytes are longer than what it has room for: with `ExtendProgram`,
    /// which agave 4.2 lets anybody do who pays for it. That is in the transaction that creates the buffer, which can
    /// succeed only once; so an interruption never extends a program twice.
    ///
    /// # Errors
    ///
    /// Before anything is sent: [`Error::OtherAddress`], [`Error::AddressNotInElf`], [`Error::NotDeployed`],
    /// [`Error::Program`], [`Error::Immutable`], [`Error::WrongAuthority`],
    /// [`Error::BadBuffer`], [`Error::InsufficientFunds`]. Afterwards [`Error::HalfWay`], most often: the same request
    /// goes on from there.
    pub async fn upgrade(&self, request: &Upgrade<'_>) -> Result<Deployment> {
        if let Some(declared) = request.declared {
            if request.program != declared {
                return Err(Error::OtherAddress { address: request.program, declared });
            }
            if !request.elf.contains_address(&declared) {
                return Err(Error::AddressNotInElf { declared });
            }
        }
        let job = Job::new(request.elf, request.program, request.payer, request.authority)?;
        let snapshot = self.snapshot(&job).await?;
        let program = match &snapshot.place {
            Place::Deployed(program) if program.is(request.elf) => {
                return Ok(Deployment::new(program, &snapshot.buffer, &job, None, 0));
            }
            Place::Deployed(program) => program,
            Place::Vacant { .. } => {
                return Err(Error::NotDeployed { program: request.program, url: self.client().url() });
            }
        };
        let (payer, authority) = (request.payer.pubkey(), request.authority.pubkey());
        check_authority(program, &authority)?;

        let (extend, extension_deposit) = self.extension(&job, program).await?;
        let signers = job.signers();
        let alone = extend.is_some() && matches!(snapshot.buffer, Buffer::Usable { .. });
        let fee = self.fee(signers.len(), OTHER_UNITS);
        let mut cost = self.buffer_cost(&job, &snapshot, fee.saturating_mul(1 + u64::from(alone))).await?;
        cost.transactions += u64::from(alone);
        cost.program = extension_deposit;
        cost.needed = cost.needed.saturating_add(cost.buffer).saturating_add(extension_deposit);
        self.check_affordable(&cost)?;

        // The loader changes a program once per slot only.
        if extend.is_some() {
            self.wait_for_slot_after(program.slot).await?;
        }
        if alone {
            // There is a buffer from before the program was found to be too short: from an interrupted `deploy` to the
            // same address, for example.
            let extended = self.send(extend.as_slice(), OTHER_UNITS, &signers).await;
            extended.map_err(|error| error.half_way(job.buffer))?;
            self.fill_buffer(&job, snapshot.buffer, cost.buffer, None).await?;
        } else {
            self.fill_buffer(&job, snapshot.buffer, cost.buffer, extend).await?;
        }

        let upgrade = loader::upgrade(&job.program, &job.buffer, &authority, &payer, true);
        let done = async {
            let extended_in = self.program(&job.program).await?.slot;
            self.wait_for_slot_after(extended_in).await?;
            self.finish(&job, &[upgrade], &signers, snapshot.balance).await
        };
        done.await.map_err(|error| error.half_way(job.buffer))
    }

    /// What makes room for the bytes, and what that costs in rent.
    async fn extension(
        &self,
        job: &Job<'_>,
        program: &Program,
    ) -> Result<(Option<solana_instruction::Instruction>, u64)> {
        let additional = extension(program.max_len(), job.elf.bytes().len());
        if additional == 0 {
            return Ok((None, 0));
        }
        let len = UpgradeableLoaderState::size_of_programdata(program.max_len().saturating_add(additional));
        let deposit = self.rent(len).await?.saturating_sub(program.lamports);
        let additional = u32::try_from(additional).map_err(|error| Error::Build(error.to_string()))?;
        Ok((Some(loader::extend_program(&job.program, Some(&job.payer.pubkey()), additional)), deposit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_grows_by_what_clusters_accept() {
        let minimum = MINIMUM_EXTEND_PROGRAM_BYTES as usize;
        assert_eq!(extension(100, 100), 0);
        assert_eq!(extension(100, 99), 0);
        assert_eq!(extension(100, 101), minimum);
        assert_eq!(extension(100, 100 + minimum + 1), minimum + 1);
        assert_eq!(extension(MAX_LEN - 5, MAX_LEN - 4), 5);
        assert_eq!(extension(MAX_LEN - minimum, MAX_LEN), minimum);
    }
}
