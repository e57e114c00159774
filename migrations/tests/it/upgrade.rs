//! Upgrading, and refusing to.

use escrow_migrations::Error;
use solana_instruction::Instruction;

use crate::{wire::Cut, *};

#[tokio::test]
async fn other_bytes_of_the_same_length_cost_the_fees_only() {
    let rig = Rig::new().await;
    let (old, new) = (committed(), variant(7));
    let program = rig.deployed(&old).await;
    let (wire, before) = (rig.wire(), rig.balance().await);
    let done = wire.migrator().upgrade(&rig.upgrade(&new, &program)).await.unwrap();
    let transactions = 1 + writes(&new, PIECE) + 1;
    assert_eq!(wire.sent(), transactions);
    assert_eq!(done.spent, transactions as u64 * FEE);
    assert_eq!(rig.balance().await, before - done.spent);
    let read = rig.program(&program.pubkey()).await;
    assert!(read.is(&new) && !read.is(&old));
    assert_eq!(read.max_len(), old.bytes().len());

    // Again: nothing to do.
    let wire = rig.wire();
    let again = wire.migrator().upgrade(&rig.upgrade(&new, &program)).await.unwrap();
    assert_eq!((again.signature, again.spent, wire.sent()), (None, 0, 0));
}

#[tokio::test]
async fn longer_bytes_extend_the_program_by_what_clusters_accept() {
    let rig = Rig::new().await;
    let old = committed();
    // A byte more needs an extension by 10 KiB; the next fits into that; and one by more than that.
    let program = rig.deployed(&old).await;
    let mut room = old.bytes().len();
    for (more, grows) in [(1, 10_240), (10_000, 0), (30_000, 19_760)] {
        let new = longer(more);
        let (wire, before) = (rig.wire(), rig.program_rent(room).await);
        let done = wire.migrator().upgrade(&rig.upgrade(&new, &program)).await.unwrap();
        room += grows;
        let transactions = 1 + writes(&new, PIECE) + 1;
        assert_eq!(wire.sent(), transactions, "{more}");
        assert_eq!(done.spent, rig.program_rent(room).await - before + transactions as u64 * FEE, "{more}");
        let read = rig.program(&program.pubkey()).await;
        assert!(read.is(&new) && read.is_hash(new.hash()), "{more}");
        assert_eq!(read.max_len(), room, "{more}");
    }
}

#[tokio::test]
async fn shorter_bytes_leave_zeros_behind_and_run() {
    let rig = Rig::new().await;
    let (old, new) = (committed(), rig.memo().await);
    let program = rig.deployed(&old).await;
    rig.wire().migrator().upgrade(&rig.upgrade(&new, &program)).await.unwrap();
    let read = rig.program(&program.pubkey()).await;
    assert_eq!(read.max_len(), old.bytes().len());
    assert!(read.is(&new) && read.is_hash(new.hash()) && !read.is_hash(old.hash()));
    let memo = Instruction { program_id: program.pubkey(), accounts: Vec::new(), data: b"new".to_vec() };
    rig.net.send(&[memo], &[]).await.unwrap();
}

#[tokio::test]
async fn a_buffer_from_before_the_program_was_found_too_short_is_used() {
    let rig = Rig::new().await;
    let (short, program) = (rig.memo().await, Keypair::new());
    let long = elf([short.bytes(), &[0xab; 20_000]].concat());
    // Somebody begins to deploy the one, and then deploys the other.
    let wire = Wire::cut(rig.net.rpc(), Cut::After(2));
    let (migrator, request) = (wire.migrator(), rig.deploy(&long, &program));
    tokio::select! {
        _ = migrator.deploy(&request) => panic!("the line was not cut"),
        () = wire.is_cut() => {}
    }
    rig.wire().migrator().deploy(&rig.deploy(&short, &program)).await.unwrap();

    let again = rig.wire();
    again.migrator().upgrade(&rig.upgrade(&long, &program)).await.unwrap();
    // The buffer's creation and two pieces are there; the extension is a transaction of its own here.
    assert_eq!(again.sent(), writes(&long, PIECE) - 2 + 1 + 1);
    let read = rig.program(&program.pubkey()).await;
    assert!(read.is(&long));
    assert_eq!(read.max_len(), long.bytes().len());
    assert!(!rig.exists(&rig.buffer(&program, &long)).await);
}

#[tokio::test]
async fn only_the_authority_upgrades_and_only_with_bytes_for_this_address() {
    let rig = Rig::new().await;
    let memo = rig.memo().await;
    let new = elf([memo.bytes(), b"more"].concat());
    let program = rig.deployed(&memo).await;
    let other = rig.net.new_funded_keypair(10 * SOL).await.unwrap();
    let wire = rig.wire();
    let migrator = wire.migrator();

    let request = rig.upgrade(&new, &program);
    let refused = migrator.upgrade(&Upgrade { authority: &other, ..request }).await.unwrap_err();
    assert!(
        matches!(refused, Error::WrongAuthority { authority, keypair, .. }
            if authority == rig.payer.pubkey() && keypair == other.pubkey()),
        "{refused}"
    );
    let refused = migrator.upgrade(&Upgrade { declared: Some(other.pubkey()), ..request }).await;
    assert!(matches!(refused, Err(Error::OtherAddress { .. })));
    let refused = migrator.upgrade(&Upgrade { declared: Some(program.pubkey()), ..request }).await;
    assert!(matches!(refused, Err(Error::AddressNotInElf { .. })));
    let refused = migrator.upgrade(&Upgrade { program: other.pubkey(), ..request }).await;
    assert!(matches!(refused, Err(Error::NotDeployed { .. })));

    let poor = rig.net.new_funded_keypair(SOL / 1_000).await.unwrap();
    let refused = migrator.upgrade(&Upgrade { payer: &poor, ..request }).await;
    assert!(matches!(refused, Err(Error::InsufficientFunds { .. })));
    assert_eq!(wire.sent(), 0);
}

#[tokio::test]
async fn what_is_said_to_be_needed_for_an_upgrade_is_enough() {
    let rig = Rig::new().await;
    let memo = rig.memo().await;
    let new = elf([memo.bytes(), &[0xab; 20_000]].concat());
    let program = rig.deployed(&memo).await;
    let poor = rig.net.new_funded_keypair(SOL / 1_000).await.unwrap();
    let request = Upgrade { payer: &poor, ..rig.upgrade(&new, &program) };
    let wire = rig.wire();
    let Err(Error::InsufficientFunds { cost }) = wire.migrator().upgrade(&request).await else {
        panic!("a thousandth of a SOL is not enough")
    };
    rig.net.fund(&poor.pubkey(), cost.missing()).await.unwrap();
    let done = wire.migrator().upgrade(&request).await.unwrap();
    assert_eq!(wire.sent() as u64, cost.transactions);
    assert_eq!(done.spent, cost.program + cost.fees);
}

#[tokio::test]
async fn bytes_that_the_loader_refuses_leave_the_program_and_the_way_on() {
    let rig = Rig::new().await;
    let memo = rig.memo().await;
    let program = rig.deployed(&memo).await;
    // The code itself is cut off.
    let broken = elf(memo.bytes()[..1_500].to_vec());
    let refused = rig.wire().migrator().upgrade(&rig.upgrade(&broken, &program)).await.unwrap_err();
    let buffer = rig.buffer(&program, &broken);
    assert!(matches!(&refused, Error::HalfWay { buffer: left, .. } if *left == buffer), "{refused}");
    assert!(refused.to_string().contains(&format!("close-buffer {buffer}")), "{refused}");
    assert!(rig.program(&program.pubkey()).await.is(&memo));
    rig.wire().migrator().close_buffer(&buffer, &rig.payer, &rig.payer).await.unwrap();
}
