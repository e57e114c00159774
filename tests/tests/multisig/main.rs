//! Every role in the hands of a multisig (design, section 2.1): its vault is an address without a key, for which the
//! multisig's program signs when it calls another. `tests/programs/vault` stands for that program.

use std::path::PathBuf;

use escrow_client::{
    EscrowAccount,
    EscrowError::{self, *},
    MilestoneStatus, Proposal, Recipient, Terms, address, instruction,
};
use escrow_tests::{DAY, INITIAL_LAMPORTS, INITIAL_TOKENS, KINDS, Kind, TOKEN, World, keypair};
use solana_instruction::{AccountMeta, Instruction, error::InstructionError};
use solana_pubkey::Pubkey;
use solana_signer::Signer;

/// Where the multisig's program is.
fn multisig() -> Pubkey {
    keypair(60).pubkey()
}

/// A vault of the multisig.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Vault {
    seed: u8,
    bump: u8,
    address: Pubkey,
}

impl Vault {
    fn new(seed: u8) -> Self {
        let (address, bump) = Pubkey::find_program_address(&[b"vault", &[seed]], &multisig());
        Self { seed, bump, address }
    }

    /// The multisig calls this instruction, and signs with this vault.
    fn calls(&self, inner: Instruction) -> Instruction {
        let flags = inner.accounts.iter().map(|meta| u8::from(meta.is_signer) | u8::from(meta.is_writable) << 1);
        let data = [self.seed, self.bump].into_iter().chain(flags).chain(inner.data.iter().copied()).collect();
        // The transaction itself is signed by those who have a key.
        let outer = |meta: AccountMeta| AccountMeta { is_signer: meta.is_signer && meta.pubkey.is_on_curve(), ..meta };
        let mut accounts = vec![AccountMeta::new_readonly(inner.program_id, false)];
        accounts.extend(inner.accounts.into_iter().map(outer));
        Instruction { program_id: multisig(), accounts, data }
    }
}

/// With `to` wherever the instruction names `from`.
fn instead(mut instruction: Instruction, from: Vault, to: Vault) -> Instruction {
    for meta in instruction.accounts.iter_mut().filter(|meta| meta.pubkey == from.address) {
        meta.pubkey = to.address;
    }
    instruction
}

/// Signed by nobody.
fn unsigned(mut instruction: Instruction) -> Instruction {
    for meta in &mut instruction.accounts {
        meta.is_signer = false;
    }
    instruction
}

/// An escrow between vaults.
struct Deal {
    world: World,
    kind: Kind,
    buyer: Vault,
    seller: Vault,
    arbiter: Vault,
    attester: Vault,
    fee_recipient: Vault,
    rent_payer: Vault,
    /// Has no role.
    stranger: Vault,
    terms: Terms,
    escrow: Pubkey,
}

impl Deal {
    /// Terms with a vault in every role, a fee and an arbiter's fee; nothing is created.
    fn agreed(kind: Kind, amounts: &[u64], change: impl FnOnce(&mut Terms)) -> Self {
        let mut world = World::new();
        let elf = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("programs/vault/elf/test_vault.so");
        world.svm.add_program_from_file(multisig(), elf).expect("the multisig's bytecode");
        let [buyer, seller, arbiter, attester, fee_recipient, rent_payer, stranger] =
            [1, 2, 3, 4, 5, 6, 7].map(Vault::new);
        for vault in [buyer, seller, arbiter, attester, fee_recipient, rent_payer, stranger] {
            world.svm.airdrop(&vault.address, INITIAL_LAMPORTS).expect("an airdrop");
            world.create_token_account(&vault.address, &world.mint.clone(), &TOKEN);
        }
        world.mint_to(&buyer.address, INITIAL_TOKENS);
        let mut terms = Terms {
            buyer: buyer.address,
            seller: seller.address,
            arbiter: arbiter.address,
            attester: attester.address,
            fee_recipient: fee_recipient.address,
            fee_bps: 250,
            arbiter_fee_bps: 100,
            ..world.terms(kind, amounts)
        };
        change(&mut terms);
        let escrow = address::escrow_address(&terms).expect("terms that hash");
        Self { world, kind, buyer, seller, arbiter, attester, fee_recipient, rent_payer, stranger, terms, escrow }
    }

    #[track_caller]
    fn created(kind: Kind, amounts: &[u64], change: impl FnOnce(&mut Terms)) -> Self {
        let mut deal = Self::agreed(kind, amounts, change);
        deal.ok(deal.rent_payer, deal.create());
        deal
    }

    #[track_caller]
    fn funded(kind: Kind, amounts: &[u64], change: impl FnOnce(&mut Terms)) -> Self {
        let mut deal = Self::created(kind, amounts, change);
        deal.ok(deal.buyer, deal.fund());
        deal
    }

    fn fork(&self) -> Self {
        Self { world: self.world.fork(), terms: self.terms.clone(), ..*self }
    }

    fn create(&self) -> Instruction {
        instruction::create(self.rent_payer.address, &self.terms).expect("terms that hash")
    }

    fn fund(&self) -> Instruction {
        instruction::fund(&self.terms).expect("terms that hash")
    }

    #[track_caller]
    fn account(&self) -> EscrowAccount {
        self.world.escrow(&self.escrow)
    }

    fn holds(&self, vault: Vault) -> u64 {
        self.world.holds(self.kind, &vault.address)
    }

    /// `vault` does this.
    #[track_caller]
    fn ok(&mut self, vault: Vault, inner: Instruction) {
        self.world.ok(vault.calls(inner), &[]);
    }

    /// `vault` does this, and only `vault` may: not another vault in its own name (`reason`), not another vault in the
    /// name of `vault`, and nobody without its signature.
    #[track_caller]
    fn only(&mut self, vault: Vault, inner: Instruction, reason: EscrowError) {
        println!("case: {inner:?}");
        let stranger = self.stranger;
        self.world.refused(stranger.calls(instead(inner.clone(), vault, stranger)), &[], reason);
        self.forged(vault, inner.clone());
        self.world.refused(unsigned(inner.clone()), &[], InstructionError::MissingRequiredSignature);
        self.world.refused(vault.calls(unsigned(inner.clone())), &[], InstructionError::MissingRequiredSignature);
        self.ok(vault, inner);
    }

    /// The runtime refuses another vault's signature in the name of `vault`.
    #[track_caller]
    fn forged(&mut self, vault: Vault, inner: Instruction) {
        assert!(inner.accounts.iter().any(|meta| meta.is_signer && meta.pubkey == vault.address));
        self.world.refused(self.stranger.calls(inner), &[], InstructionError::PrivilegeEscalation);
    }

    /// A split of all that remains of a milestone.
    fn split(&self, milestone: u8, to_seller: u64) -> Proposal {
        let remaining = self.account().milestones[usize::from(milestone)].remaining;
        Proposal::Split {
            milestone,
            status: MilestoneStatus::Pending,
            remaining,
            to_seller,
            expires_at: self.world.now() + DAY,
        }
    }
}

#[test]
fn vaults_in_every_role_carry_a_deal_to_its_end() {
    for kind in KINDS {
        println!("case: {kind:?}");
        let mut deal = Deal::agreed(kind, &[10_001, 20_003, 500, 600], |_| ());
        let Deal { buyer, seller, arbiter, attester, fee_recipient, rent_payer, escrow, .. } = deal;

        // Anyone may pay the rent, with a signature.
        deal.forged(rent_payer, deal.create());
        deal.ok(rent_payer, deal.create());
        assert_eq!(deal.account().state.rent_payer, rent_payer.address);
        let rent = INITIAL_LAMPORTS - deal.world.lamports(&rent_payer.address);
        let held_first = deal.holds(buyer);
        deal.only(buyer, deal.fund(), NotBuyer);
        assert_eq!(held_first - deal.holds(buyer), 31_104);

        deal.only(attester, instruction::deliver(escrow, attester.address, 0, [1; 32]), NotDeliverer);
        deal.only(buyer, instruction::dispute(escrow, buyer.address, 0, [2; 32]), NotBuyer);
        deal.only(arbiter, instruction::rule(escrow, arbiter.address, 0, 3_333, [3; 32]), NotArbiter);
        deal.only(
            buyer,
            instruction::release(escrow, buyer.address, 1, instruction::Part { amount: 7, of: 20_003 }),
            NotBuyer,
        );
        deal.only(
            seller,
            instruction::refund(escrow, seller.address, 1, instruction::Part { amount: 19_996, of: 19_996 }),
            NotSeller,
        );
        for (proposer, acceptor, proposal) in [(seller, buyer, deal.split(2, 123)), (buyer, seller, deal.split(3, 600))]
        {
            deal.only(proposer, instruction::propose(escrow, proposer.address, proposal), NotParty);
            let accept = instruction::accept(escrow, acceptor.address, proposal);
            // Nor may the party accept its own proposal.
            let own = instead(accept.clone(), acceptor, proposer);
            deal.world.refused(proposer.calls(own), &[], ProposalMissing);
            deal.only(acceptor, accept, NotParty);
        }
        let statuses: Vec<_> = deal.account().milestones.iter().map(|milestone| milestone.status()).collect();
        assert_eq!(statuses, [Ok(MilestoneStatus::Settled); 4]);

        // By hand: of 10,001 the arbiter takes 100 and rules that 3,300 of 9,901 go to the seller; 7, 123 and 600 are
        // released besides. The fee is 250/10,000 of those 4,030.
        let paid = [
            (Recipient::Buyer, buyer, 6_601 + 19_996 + 377),
            (Recipient::Seller, seller, 4_030 - 100),
            (Recipient::Fee, fee_recipient, 100),
            (Recipient::Arbiter, arbiter, 100),
        ];
        for (recipient, vault, amount) in paid {
            println!("case: {recipient:?} is paid");
            let before = deal.holds(vault);
            let withdraw = instruction::withdraw(&deal.account(), recipient);
            let to_stranger = instead(withdraw.clone(), vault, deal.stranger);
            deal.world.refused(to_stranger, &[], RecipientMismatch);
            // To the vault's address, or to its associated token account, whoever asks.
            deal.world.ok(withdraw, &[]);
            assert_eq!(deal.holds(vault) - before, amount);
        }

        deal.world.set_time(deal.terms.fund_by);
        let close = instruction::close(&deal.account(), false);
        let to_stranger = instead(close.clone(), rent_payer, deal.stranger);
        deal.world.refused(to_stranger, &[], RentPayerMismatch);
        deal.world.ok(close, &[]);
        assert!(!deal.world.exists(&escrow));
        assert!(rent > 0, "rent was paid");
        assert_eq!(deal.world.lamports(&rent_payer.address), INITIAL_LAMPORTS, "the rent is back");
    }
}

#[test]
fn a_sellers_vault_delivers_where_nobody_attests() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000], |terms| terms.attester = Pubkey::default());
        let deliver = instruction::deliver(deal.escrow, deal.seller.address, 0, [1; 32]);
        deal.only(deal.seller, deliver, NotDeliverer);
        assert_eq!(deal.account().milestones[0].status(), Ok(MilestoneStatus::Delivered));
    }
}

#[test]
fn a_vault_directs_its_tokens_by_signing() {
    let mut deal = Deal::funded(Kind::Token, &[10_000], |_| ());
    let Deal { buyer, seller, arbiter, attester, fee_recipient, stranger, escrow, .. } = deal;
    deal.ok(attester, instruction::deliver(escrow, attester.address, 0, [1; 32]));
    deal.ok(buyer, instruction::dispute(escrow, buyer.address, 0, [2; 32]));
    deal.ok(arbiter, instruction::rule(escrow, arbiter.address, 0, 5_000, [3; 32]));
    let directions = [
        (Recipient::Buyer, buyer, 4_950),
        (Recipient::Seller, seller, 4_827),
        (Recipient::Fee, fee_recipient, 123),
        (Recipient::Arbiter, arbiter, 100),
    ];
    for (number, (recipient, vault, amount)) in (70..).zip(directions) {
        println!("case: {recipient:?}");
        let mint = deal.world.mint;
        let other = deal.world.new_token_account(&keypair(number), &vault.address, &mint, &TOKEN);
        let withdraw = instruction::withdraw_to(&deal.account(), recipient, Some(other));
        // Nobody but the vault chooses, though the account is the vault's own.
        deal.world.refused(unsigned(withdraw.clone()), &[], NotAssociatedAccount);
        deal.world.refused(stranger.calls(unsigned(withdraw.clone())), &[], NotAssociatedAccount);
        deal.forged(vault, withdraw.clone());
        let for_stranger = instead(withdraw.clone(), vault, stranger);
        deal.world.refused(stranger.calls(for_stranger), &[], RecipientMismatch);
        // Not even the vault chooses an account that is not its own.
        let of_stranger = deal.world.token_account(&stranger.address);
        let away = instruction::withdraw_to(&deal.account(), recipient, Some(of_stranger));
        deal.world.refused(vault.calls(away), &[], TokenAccountOwner);
        let before = deal.holds(vault);
        deal.ok(vault, withdraw);
        assert_eq!((deal.world.tokens_in(&other), deal.holds(vault)), (amount, before));
    }
}

/// Tokens that somebody sent to the escrow uninvited are the buyer's, and so is the choice of the account.
#[test]
fn a_buyers_vault_directs_what_is_left_over_by_signing() {
    let mut deal = Deal::funded(Kind::Token, &[1_000], |_| ());
    let Deal { buyer, stranger, escrow, .. } = deal;
    deal.ok(buyer, instruction::release(escrow, buyer.address, 0, instruction::Part { amount: 1_000, of: 1_000 }));
    deal.world.withdraw_all(&escrow);
    deal.world.mint_to_account(&address::vault_address(&escrow), 9);
    deal.world.set_time(deal.terms.fund_by);
    let mint = deal.world.mint;
    let other = deal.world.new_token_account(&keypair(70), &buyer.address, &mint, &TOKEN);
    let mut close = instruction::close(&deal.account(), true);
    close.accounts[5].pubkey = other;
    deal.world.refused(close.clone(), &[], NotAssociatedAccount);
    close.accounts[6] = AccountMeta::new_readonly(buyer.address, true);
    let for_stranger = instead(close.clone(), buyer, stranger);
    deal.world.refused(stranger.calls(for_stranger), &[], NotBuyer);
    deal.only(buyer, close, NotBuyer);
    assert_eq!(deal.world.tokens_in(&other), 9);
    assert_eq!(deal.world.lamports(&deal.rent_payer.address), INITIAL_LAMPORTS);
}

#[test]
fn a_vault_cancels_what_was_never_funded() {
    for kind in KINDS {
        let created = Deal::created(kind, &[1_000], |_| ());
        for canceller in [created.buyer, created.seller, created.rent_payer] {
            println!("case: {kind:?}, {canceller:?}");
            let mut deal = created.fork();
            let cancel = instruction::cancel(&deal.account(), canceller.address, false);
            // The rent payer's address stands in two places: only the canceller's is exchanged.
            for other in [deal.arbiter, deal.attester, deal.fee_recipient, deal.stranger] {
                let by_other = instruction::cancel(&deal.account(), other.address, false);
                deal.world.refused(other.calls(by_other), &[], NotCanceller);
            }
            deal.forged(canceller, cancel.clone());
            deal.world.refused(unsigned(cancel.clone()), &[], InstructionError::MissingRequiredSignature);
            deal.ok(canceller, cancel);
            assert!(!deal.world.exists(&deal.escrow));
            assert_eq!(deal.world.lamports(&deal.rent_payer.address), INITIAL_LAMPORTS, "the rent is back");
        }
    }
}

#[test]
fn a_buyers_vault_cancels_in_the_cooling_off_period() {
    for kind in KINDS {
        let mut deal = Deal::funded(kind, &[1_000, 500], |terms| terms.cooling_off = 60);
        let cancel = instruction::cancel(&deal.account(), deal.buyer.address, false);
        let mut late = deal.fork();
        late.world.advance(60);
        late.world.refused(late.buyer.calls(cancel.clone()), &[], CoolingOffOver);
        deal.only(deal.buyer, cancel, NotBuyer);
        let before = deal.holds(deal.buyer);
        deal.world.withdraw_all(&deal.escrow.clone());
        assert_eq!(deal.holds(deal.buyer) - before, 1_500);
    }
}

/// As deep as it goes: a multisig that is a member of another, the escrow, and the token program under it.
#[test]
fn a_multisig_may_be_called_by_another() {
    for kind in KINDS {
        let mut deal = Deal::agreed(kind, &[1_000], |_| ());
        let Deal { buyer, rent_payer, stranger, .. } = deal;
        deal.ok(stranger, rent_payer.calls(deal.create()));
        deal.ok(stranger, buyer.calls(deal.fund()));
        assert!(deal.account().is_funded());
    }
}
