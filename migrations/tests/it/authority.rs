//! Handing the power to upgrade over, and giving it up.

use escrow_migrations::{Error, NewAuthority, SetAuthority};

use crate::{wire::Cut, *};

#[tokio::test]
async fn the_new_authority_signs_and_then_it_alone_upgrades() {
    let rig = Rig::new().await;
    let memo = rig.memo().await;
    let new_bytes = elf([memo.bytes(), b"more"].concat());
    let program = rig.deployed(&memo).await;
    let next = Keypair::new();
    let migrator = rig.wire().migrator();
    let request = SetAuthority {
        program: program.pubkey(),
        payer: &rig.payer,
        authority: &rig.payer,
        new: NewAuthority::Signing(&next),
    };
    // Not by somebody else.
    let other = Keypair::new();
    let refused = migrator.set_authority(&SetAuthority { authority: &other, ..request }).await.unwrap_err();
    assert!(matches!(refused, Error::WrongAuthority { .. }), "{refused}");

    let before = rig.balance().await;
    let (read, signature) = migrator.set_authority(&request).await.unwrap();
    assert_eq!(read.upgrade_authority, Some(next.pubkey()));
    assert!(signature.is_some());
    // Two signatures.
    assert_eq!(rig.balance().await, before - 2 * FEE);
    // It is so already.
    assert_eq!(migrator.set_authority(&request).await.unwrap().1, None);

    let refused = migrator.upgrade(&rig.upgrade(&new_bytes, &program)).await;
    assert!(matches!(refused, Err(Error::WrongAuthority { authority, .. }) if authority == next.pubkey()));
    let request = Upgrade { authority: &next, ..rig.upgrade(&new_bytes, &program) };
    migrator.upgrade(&request).await.unwrap();
    assert!(rig.program(&program.pubkey()).await.is(&new_bytes));
}

#[tokio::test]
async fn an_address_that_does_not_sign_must_be_said_to_be_one() {
    let rig = Rig::new().await;
    let program = rig.deployed(&rig.memo().await).await;
    let migrator = rig.wire().migrator();
    let vault = Pubkey::new_unique();
    let request = |new| SetAuthority { program: program.pubkey(), payer: &rig.payer, authority: &rig.payer, new };
    for useless in [Pubkey::default(), program.pubkey()] {
        let refused = migrator.set_authority(&request(NewAuthority::Unchecked(useless))).await;
        assert!(matches!(refused, Err(Error::UselessAuthority { address, .. }) if address == useless));
    }
    let (read, _) = migrator.set_authority(&request(NewAuthority::Unchecked(vault))).await.unwrap();
    assert_eq!(read.upgrade_authority, Some(vault));
}

#[tokio::test]
async fn what_is_final_is_never_upgraded() {
    let rig = Rig::new().await;
    let memo = rig.memo().await;
    let program = rig.deployed(&memo).await;
    let wire = rig.wire();
    let migrator = wire.migrator();
    let request =
        SetAuthority { program: program.pubkey(), payer: &rig.payer, authority: &rig.payer, new: NewAuthority::Nobody };
    let (read, _) = migrator.set_authority(&request).await.unwrap();
    assert_eq!(read.upgrade_authority, None);
    assert!(read.is(&memo), "the bytes are read from the same place");
    assert_eq!(wire.sent(), 1);

    let new = elf([memo.bytes(), b"more"].concat());
    let refused = migrator.upgrade(&rig.upgrade(&new, &program)).await.unwrap_err();
    assert!(matches!(refused, Error::Immutable { program: address } if address == program.pubkey()), "{refused}");
    let request = SetAuthority { new: NewAuthority::Signing(&rig.payer), ..request };
    assert!(matches!(migrator.set_authority(&request).await, Err(Error::Immutable { .. })));
    // The same bytes are there, whoever asks.
    assert_eq!(migrator.upgrade(&rig.upgrade(&memo, &program)).await.unwrap().signature, None);
    assert_eq!(wire.sent(), 1);
}

#[tokio::test]
async fn a_buffer_that_is_not_needed_any_more_is_pointed_out() {
    let rig = Rig::new().await;
    let memo = rig.memo().await;
    let new = elf([memo.bytes(), b"more"].concat());
    let program = rig.deployed(&memo).await;
    let wire = Wire::cut(rig.net.rpc(), Cut::After(1));
    let (migrator, request) = (wire.migrator(), rig.upgrade(&new, &program));
    tokio::select! {
        _ = migrator.upgrade(&request) => panic!("the line was not cut"),
        () = wire.is_cut() => {}
    }
    // Meanwhile another authority does the same.
    let (next, migrator) = (Keypair::new(), rig.wire().migrator());
    let handover = SetAuthority {
        program: program.pubkey(),
        payer: &rig.payer,
        authority: &rig.payer,
        new: NewAuthority::Signing(&next),
    };
    migrator.set_authority(&handover).await.unwrap();
    migrator.upgrade(&Upgrade { authority: &next, ..request }).await.unwrap();

    let done = migrator.upgrade(&request).await.unwrap();
    assert_eq!(done.signature, None);
    let (buffer, lamports) = done.left_behind.unwrap();
    assert_eq!(buffer, rig.buffer(&program, &new));
    assert_eq!(lamports, rig.rent(BUFFER_HEADER + new.bytes().len()).await);
    assert_eq!(migrator.close_buffer(&buffer, &rig.payer, &rig.payer).await.unwrap().lamports, lamports);
}
