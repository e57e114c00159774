//! Handing the power to upgrade over, and giving it up.

use escrow_client::program::Program;
use solana_keypair::Keypair;
use solana_loader_v3_interface::{get_program_data_address, instruction as loader};
use solana_pubkey::Pubkey;
use solana_sdk_ids::system_program;
use solana_signature::Signature;
use solana_signer::Signer;

use crate::{
    error::{Error, Result},
    migrator::{Migrator, OTHER_UNITS},
};

/// Who may upgrade the program from now on.
#[derive(Debug, Clone, Copy)]
pub enum NewAuthority<'a> {
    /// The owner of this keypair, who signs: so the address is certainly right.
    Signing(&'a Keypair),
    /// Whoever this is. If it is mistyped, nobody can ever upgrade or close the program again.
    Unchecked(Pubkey),
    /// Nobody. For ever.
    Nobody,
}

impl NewAuthority<'_> {
    /// The address; none for nobody.
    pub fn address(&self) -> Option<Pubkey> {
        match self {
            Self::Signing(keypair) => Some(keypair.pubkey()),
            Self::Unchecked(address) => Some(*address),
            Self::Nobody => None,
        }
    }
}

/// Whose program is to become whose.
#[derive(Debug, Clone, Copy)]
pub struct SetAuthority<'a> {
    /// The program's address.
    pub program: Pubkey,
    /// Who pays the fee.
    pub payer: &'a Keypair,
    /// Who may upgrade it now.
    pub authority: &'a Keypair,
    /// Who may upgrade it then.
    pub new: NewAuthority<'a>,
}

impl Migrator {
    /// Changes who may upgrade a program. Returns the program as it is afterwards, and the transaction: none if it was
    /// so already.
    ///
    /// # Errors
    ///
    /// [`Error::UselessAuthority`], [`Error::Immutable`], [`Error::WrongAuthority`], those of [`Migrator::program`],
    /// and [`Error::Client`] and [`Error::Congested`] while sending.
    pub async fn set_authority(&self, request: &SetAuthority<'_>) -> Result<(Program, Option<Signature>)> {
        let program = self.program(&request.program).await?;
        let new = request.new.address();
        if program.upgrade_authority == new {
            return Ok((program, None));
        }
        if let Some(address) = new {
            check_useful(&request.program, &address)?;
        }
        let current = request.authority.pubkey();
        check_authority(&program, &current)?;

        let address = &request.program;
        let instruction = match &request.new {
            NewAuthority::Signing(keypair) => {
                loader::set_upgrade_authority_checked(address, &current, &keypair.pubkey())
            }
            NewAuthority::Unchecked(new) => loader::set_upgrade_authority(address, &current, Some(new)),
            NewAuthority::Nobody => loader::set_upgrade_authority(address, &current, None),
        };
        let mut signers = vec![request.payer];
        let others =
            [Some(request.authority), if let NewAuthority::Signing(new) = request.new { Some(new) } else { None }];
        for signer in others.into_iter().flatten() {
            if signers.iter().all(|other| other.pubkey() != signer.pubkey()) {
                signers.push(signer);
            }
        }
        let signature = self.send(&[instruction], OTHER_UNITS, &signers).await?.signature;
        let program = self.program(address).await?;
        match program.upgrade_authority == new {
            true => Ok((program, Some(signature))),
            false => Err(Error::NotSeen { signature, url: self.client().url() }),
        }
    }
}

/// Nobody can change the program any more, or only `keypair`.
pub(crate) fn check_authority(program: &Program, keypair: &Pubkey) -> Result<()> {
    match program.upgrade_authority {
        None => Err(Error::Immutable { program: program.address }),
        Some(authority) if authority != *keypair => {
            Err(Error::WrongAuthority { program: program.address, authority, keypair: *keypair })
        }
        Some(_) => Ok(()),
    }
}

/// Addresses that are certainly a mistake.
fn check_useful(program: &Pubkey, address: &Pubkey) -> Result<()> {
    let useless = |reason| Err(Error::UselessAuthority { address: *address, reason });
    match *address {
        system_program::ID => useless("it is the system program"),
        address if address == *program => useless("it is the program itself"),
        address if address == get_program_data_address(program) => useless("it holds the program's bytes"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_that_cannot_sign_is_refused() {
        let program = Pubkey::new_unique();
        for address in [Pubkey::default(), program, get_program_data_address(&program)] {
            assert!(matches!(check_useful(&program, &address), Err(Error::UselessAuthority { .. })));
        }
        assert!(check_useful(&program, &Pubkey::new_unique()).is_ok());
    }
}
