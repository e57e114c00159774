//! Mints and token accounts, of either token program.

use std::sync::Arc;

use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_system_interface::instruction as system_instruction;
use spl_associated_token_account_interface::{
    address::get_associated_token_address_with_program_id, instruction::create_associated_token_account_idempotent,
};
use spl_token_2022_interface::{
    extension::{ExtensionType, StateWithExtensions},
    instruction as token_instruction,
    state::{Account as TokenAccount, Mint},
};

use crate::{
    error::{Error, Result},
    localnet::Localnet,
};

/// One of the two token programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenProgram {
    /// SPL Token.
    #[default]
    Token,
    /// Token-2022.
    Token2022,
}

impl TokenProgram {
    /// Its address.
    pub fn id(self) -> Pubkey {
        match self {
            TokenProgram::Token => spl_token_2022_interface::inline_spl_token::ID,
            TokenProgram::Token2022 => spl_token_2022_interface::ID,
        }
    }
}

/// What a mint for a test should be like. The default is one of SPL Token with 6 decimals and no freeze authority.
#[derive(Debug, Clone)]
pub struct MintConfig {
    /// How many digits come after the point. Any value is valid.
    pub decimals: u8,
    /// The program that it belongs to. A Token-2022 mint has no extensions.
    pub token_program: TokenProgram,
    /// Who may freeze accounts.
    pub freeze_authority: Option<Pubkey>,
    /// Who may mint; `None` makes a new keypair, which [`TestMint`] keeps.
    pub mint_authority: Option<Arc<Keypair>>,
}

impl Default for MintConfig {
    fn default() -> Self {
        Self { decimals: 6, token_program: TokenProgram::Token, freeze_authority: None, mint_authority: None }
    }
}

/// A mint that a test can mint from.
#[derive(Debug, Clone)]
pub struct TestMint {
    /// Its address.
    pub address: Pubkey,
    /// How many digits come after the point.
    pub decimals: u8,
    /// The program that it belongs to.
    pub token_program: TokenProgram,
    /// Who may mint.
    pub mint_authority: Arc<Keypair>,
}

impl TestMint {
    /// The address of `owner`'s associated token account.
    pub fn associated_account(&self, owner: &Pubkey) -> Pubkey {
        get_associated_token_address_with_program_id(owner, &self.address, &self.token_program.id())
    }
}

impl Localnet {
    /// Creates a mint at a new address, with nothing minted.
    ///
    /// # Errors
    ///
    /// Those of [`Localnet::send`].
    pub async fn create_mint(&self, config: MintConfig) -> Result<TestMint> {
        let program = config.token_program.id();
        let mint = Keypair::new();
        let authority = config.mint_authority.unwrap_or_else(|| Arc::new(Keypair::new()));
        let payer = self.payer().await?.pubkey();
        let space = ExtensionType::try_calculate_account_len::<Mint>(&[])
            .map_err(|error| Error::TokenInstruction(error.to_string()))?;
        let instructions = [
            system_instruction::create_account(&payer, &mint.pubkey(), self.rent(space).await?, space as u64, &program),
            token_instruction::initialize_mint2(
                &program,
                &mint.pubkey(),
                &authority.pubkey(),
                config.freeze_authority.as_ref(),
                config.decimals,
            )
            .map_err(|error| Error::TokenInstruction(error.to_string()))?,
        ];
        self.send(&instructions, &[&mint]).await?;
        Ok(TestMint {
            address: mint.pubkey(),
            decimals: config.decimals,
            token_program: config.token_program,
            mint_authority: authority,
        })
    }

    /// Mints `amount`, in the mint's smallest units, into `owner`'s associated token account, whose address is returned.
    /// The account is created first if it does not exist; with an amount of 0 that is all that happens. `owner` may be
    /// any address, also one that is not on the curve.
    ///
    /// # Errors
    ///
    /// Those of [`Localnet::send`].
    pub async fn mint_to(&self, mint: &TestMint, owner: &Pubkey, amount: u64) -> Result<Pubkey> {
        let program = mint.token_program.id();
        let payer = self.payer().await?.pubkey();
        let account = mint.associated_account(owner);
        let create = create_associated_token_account_idempotent(&payer, owner, &mint.address, &program);
        if amount == 0 {
            self.send(&[create], &[]).await?;
            return Ok(account);
        }
        let mint_to =
            token_instruction::mint_to(&program, &mint.address, &account, &mint.mint_authority.pubkey(), &[], amount)
                .map_err(|error| Error::TokenInstruction(error.to_string()))?;
        self.send(&[create, mint_to], &[&mint.mint_authority]).await?;
        Ok(account)
    }

    /// Freezes the associated token account of `owner`, or thaws it. `authority` is the mint's freeze authority.
    ///
    /// # Errors
    ///
    /// Those of [`Localnet::send`].
    pub async fn set_frozen(&self, mint: &TestMint, owner: &Pubkey, authority: &Keypair, frozen: bool) -> Result<()> {
        let (program, account) = (mint.token_program.id(), mint.associated_account(owner));
        let change = if frozen { token_instruction::freeze_account } else { token_instruction::thaw_account };
        let change = change(&program, &account, &mint.address, &authority.pubkey(), &[])
            .map_err(|error| Error::TokenInstruction(error.to_string()))?;
        self.send(&[change], &[authority]).await?;
        Ok(())
    }

    /// What `owner` has of `mint` in its associated token account, in the mint's smallest units; 0 if it has none.
    ///
    /// # Errors
    ///
    /// Those of [`Localnet::token_account_balance`].
    pub async fn token_balance(&self, owner: &Pubkey, mint: &TestMint) -> Result<u64> {
        self.token_account_balance(&mint.associated_account(owner)).await
    }

    /// The amount in a token account, of either token program, in the mint's smallest units; 0 if there is no such
    /// account.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidAccount`] if something else stands there, [`Error::Rpc`].
    pub async fn token_account_balance(&self, address: &Pubkey) -> Result<u64> {
        let Some(account) = self.account(address).await? else {
            return Ok(0);
        };
        let invalid = || Error::InvalidAccount { address: *address, expected: "token account" };
        let programs = [TokenProgram::Token.id(), TokenProgram::Token2022.id()];
        if !programs.contains(&account.owner) {
            return Err(invalid());
        }
        StateWithExtensions::<TokenAccount>::unpack(&account.data).map(|state| state.base.amount).map_err(|_| invalid())
    }

    /// What an account of this size must hold to exist, in lamports.
    async fn rent(&self, space: usize) -> Result<u64> {
        self.rpc()
            .get_minimum_balance_for_rent_exemption(space)
            .await
            .map_err(Error::rpc("asking for the rent-exempt minimum"))
    }
}
