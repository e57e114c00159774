//! Interruptions: wherever it stops, the same request goes on, and nothing is paid twice.

use std::sync::Arc;

use escrow_migrations::{ClosedBuffer, Error};
use futures_util::future::join_all;

use crate::{wire::Cut, *};

/// Deploys until the line is cut, and then again. How many transactions reached the validator, each time.
async fn deploy_interrupted(rig: &Rig, elf: &Elf, program: &Keypair, cut: Cut) -> (usize, usize) {
    let wire = Wire::cut(rig.net.rpc(), cut);
    let (migrator, request) = (wire.migrator(), rig.deploy(elf, program));
    tokio::select! {
        done = migrator.deploy(&request) => panic!("the line was not cut {cut:?}: {done:?}"),
        () = wire.is_cut() => {}
    }
    let again = rig.wire();
    let done = again.migrator().deploy(&request).await.unwrap();
    assert_eq!(address(&Ok(done)), Some(program.pubkey()));
    (wire.sent(), again.sent())
}

#[tokio::test]
async fn an_interrupted_deployment_goes_on_and_costs_the_same() {
    let rig = Arc::new(Rig::new().await);
    let elf = committed();
    let transactions = 1 + writes(&elf, PIECE) + 1;
    let price = rig.program_rent(elf.bytes().len()).await + (transactions as u64 + 1) * FEE;
    let cuts = [
        // Before anything; with the buffer created and nobody told; before the first piece; half way; before and after
        // the last piece; before and after the last transaction.
        Cut::Before(0),
        Cut::After(0),
        Cut::Before(1),
        Cut::Before(transactions / 2),
        Cut::After(transactions / 2),
        Cut::Before(transactions - 2),
        Cut::After(transactions - 2),
        Cut::Before(transactions - 1),
        Cut::After(transactions - 1),
    ];
    join_all(cuts.map(|cut| {
        let (rig, elf) = (rig.clone(), elf.clone());
        async move {
            let program = Keypair::new();
            let payer = rig.net.new_funded_keypair(10 * SOL).await.unwrap();
            let rig = Rig { net: Localnet::connect(rig.net.rpc_url(), &[]).await.unwrap(), payer };
            let (first, second) = deploy_interrupted(&rig, &elf, &program, cut).await;
            eprintln!("{cut:?}: {first} + {second} transactions");
            let expected = match cut {
                Cut::Before(number) => number,
                Cut::After(number) => number + 1,
                Cut::Never => transactions,
            };
            assert_eq!(first, expected, "{cut:?}");
            assert_eq!(first + second, transactions, "{cut:?}");
            assert_eq!(rig.balance().await, 10 * SOL - price, "{cut:?}");
            assert!(!rig.exists(&rig.buffer(&program, &elf)).await, "{cut:?}");
            assert!(rig.program(&program.pubkey()).await.is(&elf), "{cut:?}");
        }
    }))
    .await;
}

#[tokio::test]
async fn an_interrupted_upgrade_extends_the_program_once() {
    let rig = Rig::new().await;
    let memo = rig.memo().await;
    let longer = elf([memo.bytes(), &[0xab; 5_000]].concat());
    let transactions = 1 + writes(&longer, PIECE) + 1;
    for cut in
        [Cut::Before(0), Cut::After(0), Cut::Before(1), Cut::Before(transactions - 1), Cut::After(transactions - 1)]
    {
        let program = rig.deployed(&memo).await;
        let before = rig.balance().await;
        let (wire, request) = (Wire::cut(rig.net.rpc(), cut), rig.upgrade(&longer, &program));
        let migrator = wire.migrator();
        tokio::select! {
            done = migrator.upgrade(&request) => panic!("the line was not cut {cut:?}: {done:?}"),
            () = wire.is_cut() => {}
        }
        let again = rig.wire();
        again.migrator().upgrade(&request).await.unwrap();
        assert_eq!(wire.sent() + again.sent(), transactions, "{cut:?}");

        let read = rig.program(&program.pubkey()).await;
        assert!(read.is(&longer), "{cut:?}");
        assert_eq!(read.max_len(), memo.bytes().len() + 10_240, "{cut:?}");
        let extension = rig.program_rent(read.max_len()).await - rig.program_rent(memo.bytes().len()).await;
        assert_eq!(rig.balance().await, before - extension - transactions as u64 * FEE, "{cut:?}");
        assert!(!rig.exists(&rig.buffer(&program, &longer)).await, "{cut:?}");
    }
}

#[tokio::test]
async fn a_buffer_that_somebody_else_wrote_to_is_repaired() {
    // "Somebody" is an older attempt whose last transaction arrives late.
    let rig = Rig::new().await;
    let (elf, program) = (longer(1), Keypair::new());
    let wire = Wire::cut(rig.net.rpc(), Cut::Before(5));
    let (migrator, request) = (wire.migrator(), rig.deploy(&elf, &program));
    tokio::select! {
        _ = migrator.deploy(&request) => panic!("the line was not cut"),
        () = wire.is_cut() => {}
    }
    let buffer = rig.buffer(&program, &elf);
    let authority = rig.payer.pubkey();
    let wrong = solana_loader_v3_interface::instruction::write(&buffer, &authority, 3, vec![0xee; 2]);
    rig.net.send(&[wrong], &[&rig.payer]).await.unwrap();
    rig.wire().migrator().deploy(&request).await.unwrap();
    assert!(rig.program(&program.pubkey()).await.is(&elf));
}

#[tokio::test]
async fn two_at_the_same_time_deploy_once() {
    let rig = Rig::new().await;
    let (elf, program) = (rig.memo().await, Keypair::new());
    let before = rig.balance().await;
    let (one, two) = (rig.wire(), rig.wire());
    let (a, b) = (one.migrator(), two.migrator());
    let request = rig.deploy(&elf, &program);
    let (a, b) = tokio::join!(a.deploy(&request), b.deploy(&request));
    assert!(a.is_ok() || b.is_ok(), "{a:?} {b:?}");
    assert!(rig.program(&program.pubkey()).await.is(&elf));
    assert!(!rig.exists(&rig.buffer(&program, &elf)).await);
    // The rent once; the fees of both at the most.
    let spent = before - rig.balance().await - rig.program_rent(elf.bytes().len()).await;
    assert!(spent <= (one.sent() + two.sent() + 2) as u64 * FEE, "{spent}");
}

#[tokio::test]
async fn giving_up_returns_the_rent() {
    let rig = Rig::new().await;
    let (elf, program) = (rig.memo().await, Keypair::new());
    let before = rig.balance().await;
    let wire = Wire::cut(rig.net.rpc(), Cut::After(3));
    let (migrator, request) = (wire.migrator(), rig.deploy(&elf, &program));
    tokio::select! {
        _ = migrator.deploy(&request) => panic!("the line was not cut"),
        () = wire.is_cut() => {}
    }
    let buffer = rig.buffer(&program, &elf);
    let rent = rig.rent(BUFFER_HEADER + elf.bytes().len()).await;
    assert_eq!(rig.balance().await, before - rent - 4 * FEE);

    let migrator = rig.wire().migrator();
    let other = rig.net.new_funded_keypair(SOL).await.unwrap();
    let refused = migrator.close_buffer(&buffer, &other, &other).await.unwrap_err();
    assert!(matches!(refused, Error::BadBuffer { address, .. } if address == buffer), "{refused}");

    let closed = migrator.close_buffer(&buffer, &rig.payer, &rig.payer).await.unwrap();
    let recipient = rig.payer.pubkey();
    assert_eq!(closed, ClosedBuffer { address: buffer, lamports: rent, recipient, signature: closed.signature });
    assert_eq!(rig.balance().await, before - 5 * FEE);
    assert!(!rig.exists(&buffer).await);
    let again = migrator.close_buffer(&buffer, &rig.payer, &rig.payer).await;
    assert!(matches!(again, Err(Error::NoBuffer { address }) if address == buffer));

    // A program's own accounts are not buffers: closing them would end it.
    let program = rig.deployed(&elf).await;
    for address in [program.pubkey(), rig.program(&program.pubkey()).await.programdata, rig.payer.pubkey()] {
        let refused = migrator.close_buffer(&address, &rig.payer, &rig.payer).await;
        assert!(matches!(refused, Err(Error::BadBuffer { .. })), "{address}");
    }
    assert!(rig.program(&program.pubkey()).await.is(&elf));
}
