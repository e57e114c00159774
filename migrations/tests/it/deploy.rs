//! Deploying, and refusing to.

use escrow_client::program::ProgramError;
use escrow_localnet::{Config, Program as Preloaded};
use escrow_migrations::{Deploy, Elf, ElfHash, Error};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_loader_v3_interface::get_program_data_address;
use solana_sdk_ids::bpf_loader_upgradeable;
use solana_signer::Signer;

use crate::*;

#[tokio::test]
async fn the_committed_program_is_deployed_byte_for_byte_for_its_rent_and_the_fees() {
    let rig = Rig::new().await;
    let (elf, program) = (committed(), Keypair::new());
    let (wire, before) = (rig.wire(), rig.balance().await);

    let start = std::time::Instant::now();
    let done = wire.migrator().deploy(&rig.deploy(&elf, &program)).await.unwrap();
    let transactions = 1 + writes(&elf, PIECE) + 1;
    eprintln!(
        "{} bytes: {} transactions, {} lamports, {:?}",
        elf.bytes().len(),
        wire.sent(),
        done.spent,
        start.elapsed()
    );

    // The last one has the program's signature, too.
    let spent = rig.program_rent(elf.bytes().len()).await + (transactions as u64 + 1) * FEE;
    assert_eq!(wire.sent(), transactions);
    assert_eq!(done.spent, spent);
    assert_eq!(rig.balance().await, before - spent);
    assert!(!rig.exists(&rig.buffer(&program, &elf)).await);

    let account = rig.net.account(&program.pubkey()).await.unwrap().unwrap();
    assert!(account.executable);
    assert_eq!(account.owner, bpf_loader_upgradeable::ID);
    let programdata = rig.net.account(&get_program_data_address(&program.pubkey())).await.unwrap().unwrap();
    assert_eq!(&programdata.data[PROGRAMDATA_HEADER..], elf.bytes());
    let read = rig.program(&program.pubkey()).await;
    assert!(read.is(&elf) && read.is_hash(elf.hash()) && !read.is_hash(variant(1).hash()));
    assert_eq!(read.upgrade_authority, Some(rig.payer.pubkey()));

    // It runs, and sees that it is not at the address that it declares.
    let call = Instruction { program_id: program.pubkey(), accounts: Vec::new(), data: vec![0; 8] };
    let refused = rig.net.send(&[call], &[]).await.unwrap_err().to_string();
    assert!(!refused.contains("Unsupported program id"), "{refused}");

    // Again: there is nothing to do.
    let wire = rig.wire();
    let again = wire.migrator().deploy(&rig.deploy(&elf, &program)).await.unwrap();
    assert_eq!((again.signature, again.spent, again.slot, wire.sent()), (None, 0, done.slot, 0));
}

#[tokio::test]
async fn nothing_is_sent_for_what_is_refused() {
    let rig = Rig::new().await;
    let (elf, program) = (rig.memo().await, Keypair::new());
    let (wire, before) = (rig.wire(), rig.balance().await);
    let migrator = wire.migrator();

    // Bytes that were not named never become an `Elf`.
    let other = ElfHash::of(b"other");
    assert!(matches!(Elf::new(elf.bytes().to_vec(), &other), Err(Error::WrongHash { named, .. }) if named == other));

    // A keypair that is not the one of the declared address; bytes that do not contain it.
    let declared = Some(escrow_client::escrow::ID);
    let refused = migrator.deploy(&Deploy { declared, ..rig.deploy(&committed(), &program) }).await.unwrap_err();
    assert!(matches!(refused, Error::OtherAddress { address, .. } if address == program.pubkey()), "{refused}");
    assert!(refused.to_string().contains("declare_id!"), "{refused}");
    let declared = Some(program.pubkey());
    let refused = migrator.deploy(&Deploy { declared, ..rig.deploy(&committed(), &program) }).await.unwrap_err();
    assert!(matches!(refused, Error::AddressNotInElf { .. }), "{refused}");

    // Too long.
    for max_len in [elf.bytes().len() - 1, 10 * 1024 * 1024] {
        let request = Deploy { max_len: Some(max_len), ..rig.deploy(&elf, &program) };
        assert!(matches!(migrator.deploy(&request).await, Err(Error::TooLarge { .. })));
    }

    // Lamports where the loader must create an account: it cannot.
    let programdata = get_program_data_address(&program.pubkey());
    rig.net.fund(&programdata, SOL).await.unwrap();
    let refused = migrator.deploy(&rig.deploy(&elf, &program)).await.unwrap_err();
    assert!(matches!(refused, Error::ProgramDataFunded { lamports: SOL, .. }), "{refused}");

    // Not a program of this loader.
    let request = Upgrade { program: OLD_MEMO, ..rig.upgrade(&elf, &program) };
    assert!(matches!(migrator.upgrade(&request).await, Err(Error::Program(ProgramError::NotAProgram { .. }))));
    let request = Upgrade { program: rig.payer.pubkey(), ..request };
    assert!(matches!(migrator.upgrade(&request).await, Err(Error::NotDeployed { .. })));

    assert_eq!(wire.sent(), 0);
    assert_eq!(rig.balance().await, before);
}

#[tokio::test]
async fn the_escrow_program_is_deployed_where_it_declares_to_be() {
    // Its own check of the address passes for the committed program, as far as can be seen without its keypair.
    assert!(committed().contains_address(&escrow_client::escrow::ID));
    assert!(!committed().contains_address(&Keypair::new().pubkey()));
}

#[tokio::test]
async fn what_is_deployed_already_is_not_deployed_again() {
    let rig = Rig::new().await;
    let memo = rig.memo().await;
    let program = rig.deployed(&memo).await;
    let wire = rig.wire();
    let refused = wire.migrator().deploy(&rig.deploy(&committed(), &program)).await.unwrap_err();
    assert!(
        matches!(refused, Error::AlreadyDeployed { program: address, .. } if address == program.pubkey()),
        "{refused}"
    );
    // The same bytes, but somebody else's.
    let other = rig.net.new_funded_keypair(SOL).await.unwrap();
    let refused = wire.migrator().deploy(&Deploy { authority: &other, ..rig.deploy(&memo, &program) }).await;
    assert!(matches!(refused, Err(Error::AlreadyDeployed { .. })));
    assert_eq!(wire.sent(), 0);
}

#[tokio::test]
async fn what_is_said_to_be_needed_is_enough_and_one_lamport_less_is_not() {
    let mut rig = Rig::new().await;
    let elf = rig.memo().await;
    // With room to grow, the program is dearer than the buffer; without, the buffer is still held when the program's
    // own account is paid for.
    for max_len in [None, Some(2 * elf.bytes().len())] {
        let program = Keypair::new();
        rig.payer = rig.net.new_funded_keypair(SOL / 1_000).await.unwrap();
        let wire = rig.wire();
        let request = Deploy { max_len, ..rig.deploy(&elf, &program) };
        let Err(Error::InsufficientFunds { cost }) = wire.migrator().deploy(&request).await else {
            panic!("a thousandth of a SOL is not enough")
        };
        assert_eq!(cost.payer, rig.payer.pubkey());
        assert_eq!(cost.available, SOL / 1_000);
        rig.net.fund(&rig.payer.pubkey(), cost.missing() - 1).await.unwrap();
        let refused = wire.migrator().deploy(&request).await.unwrap_err();
        assert!(matches!(&refused, Error::InsufficientFunds { cost } if cost.missing() == 1), "{refused}");
        assert_eq!(wire.sent(), 0);

        rig.net.fund(&rig.payer.pubkey(), 1).await.unwrap();
        let done = wire.migrator().deploy(&request).await.unwrap();
        assert_eq!(wire.sent() as u64, cost.transactions);
        assert_eq!(done.spent, cost.program + cost.fees);
        assert!(rig.balance().await >= rig.rent(0).await);
    }
}

#[tokio::test]
async fn lamports_sent_in_advance_are_no_obstacle_and_count() {
    let rig = Rig::new().await;
    let (elf, program) = (rig.memo().await, Keypair::new());
    let gift = SOL / 1_000;
    rig.net.fund(&program.pubkey(), gift).await.unwrap();
    rig.net.fund(&rig.buffer(&program, &elf), gift).await.unwrap();
    let wire = rig.wire();
    let done = wire.migrator().deploy(&rig.deploy(&elf, &program)).await.unwrap();
    let fees = (wire.sent() as u64 + 1) * FEE;
    assert_eq!(done.spent, rig.program_rent(elf.bytes().len()).await + fees - 2 * gift);
    let account = rig.net.account(&program.pubkey()).await.unwrap().unwrap();
    assert!(account.executable);
}

#[tokio::test]
async fn one_pays_and_another_owns() {
    let rig = Rig::new().await;
    let (elf, program, authority) = (rig.memo().await, Keypair::new(), Keypair::new());
    let wire = rig.wire();
    let request = Deploy { authority: &authority, ..rig.deploy(&elf, &program) };
    let done = wire.migrator().deploy(&request).await.unwrap();
    assert_eq!(done.upgrade_authority, Some(authority.pubkey()));
    let transactions = 1 + writes(&elf, PIECE_OF_TWO_SIGNERS) + 1;
    assert_eq!(wire.sent(), transactions);
    assert_eq!(done.spent, rig.program_rent(elf.bytes().len()).await + (2 * transactions as u64 + 1) * FEE);
    assert_eq!(rig.net.balance(&authority.pubkey()).await.unwrap(), 0);
}

#[tokio::test]
async fn priority_is_paid_as_announced() {
    let rig = Rig::new().await;
    let (elf, program) = (rig.memo().await, Keypair::new());
    let wire = rig.wire();
    let done = wire.migrator().with_unit_price(1_000_000).deploy(&rig.deploy(&elf, &program)).await.unwrap();
    // A lamport per compute unit: 2,670 for each write, and 6,000 for the two others.
    let writes = wire.sent() as u64 - 2;
    let fees = (wire.sent() as u64 + 1) * FEE + writes * 2_670 + 2 * 6_000;
    assert_eq!(done.spent, rig.program_rent(elf.bytes().len()).await + fees);
}

#[tokio::test]
async fn a_program_that_the_validator_was_started_with_is_read_like_any_other() {
    let authority = Keypair::new();
    let preloaded = Preloaded::escrow().upgradeable_by(authority.pubkey());
    let rig = Rig::with(Config::bare().with_program(preloaded)).await;
    let id = escrow_client::escrow::ID;
    let program = rig.program(&id).await;
    assert_eq!(program.upgrade_authority, Some(authority.pubkey()));
    let migrator = rig.wire().migrator();
    assert!(migrator.verify(&id, committed().hash()).await.is_ok());
    let other = *variant(1).hash();
    let refused = migrator.verify(&id, &other).await.unwrap_err();
    assert!(matches!(refused, Error::OtherBytes { named, .. } if named == other), "{refused}");
}
