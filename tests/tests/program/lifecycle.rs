//! Whole escrows, from creation to the closed account.

use escrow_client::{MilestoneStatus, instruction};
use escrow_tests::{DAY, INITIAL_LAMPORTS, KINDS, World};
use solana_signer::Signer;

#[test]
fn a_sale_that_goes_well_pays_the_seller_and_returns_the_rent() {
    for kind in KINDS {
        let mut world = World::new();
        let terms = world.terms(kind, &[1_000_000]);
        let escrow = world.create_and_fund(&terms);
        let (buyer, seller) = (world.buyer.insecure_clone(), world.seller.insecure_clone());
        let before = (world.holds(kind, &buyer.pubkey()), world.holds(kind, &seller.pubkey()));

        world.ok(instruction::deliver(escrow, seller.pubkey(), 0, [1; 32]), &[&seller]);
        assert_eq!(world.milestone(&escrow, 0).status(), Ok(MilestoneStatus::Delivered));
        world.ok(
            instruction::release(escrow, buyer.pubkey(), 0, instruction::Part { amount: 1_000_000, of: 1_000_000 }),
            &[&buyer],
        );
        world.withdraw_all(&escrow);
        world.advance(2 * DAY);
        let account = world.escrow(&escrow);
        world.ok(instruction::close(&account, false), &[]);

        assert!(!world.exists(&escrow));
        assert_eq!(world.holds(kind, &buyer.pubkey()), before.0);
        assert_eq!(world.holds(kind, &seller.pubkey()), before.1 + 1_000_000);
        assert_eq!(world.lamports(&world.rent_payer.pubkey()), INITIAL_LAMPORTS);
    }
}
