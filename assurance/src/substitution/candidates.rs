//! What is put in the place of an account: the same list for every slot of every instruction, so that none is forgotten.

use escrow_client::{
    address,
    escrow::{self, ESCROW_SEED, VAULT_SEED, token::ASSOCIATED_TOKEN_PROGRAM_ID},
};
use escrow_tests::{TOKEN, TOKEN_2022, Who, World};
use solana_account::Account;
use solana_pubkey::Pubkey;
use solana_sdk_ids::{bpf_loader_upgradeable, compute_budget, native_loader, system_program, sysvar};

use super::scene::{Deal, Holding, Scene, number, second_account};
use crate::bank::NONE;

/// Marks what only the owner of an account could write and never does: with real accounts the case cannot happen.
pub const FORGED: &str = " [forged]";

/// A wrong account.
pub struct Candidate {
    /// In the file.
    pub name: String,
    /// Where it is.
    pub address: Pubkey,
}

/// Puts all candidates into the scene's world.
pub fn candidates(scene: &mut Scene) -> Vec<Candidate> {
    let mut list = List { found: Vec::new(), next: 150 };
    list.people(scene);
    list.escrows(scene);
    list.copies(scene);
    list.tokens(scene);
    list.programs_and_sysvars();
    list.found
}

/// An account that does not exist, at the address of a key that nobody uses.
pub fn nothing() -> Pubkey {
    number(149)
}

/// A program that is not one of those that the escrow knows.
pub fn another_program() -> Pubkey {
    number(148)
}

struct List {
    found: Vec<Candidate>,
    next: u8,
}

impl List {
    fn add(&mut self, name: impl Into<String>, address: Pubkey) {
        self.found.push(Candidate { name: name.into(), address });
    }

    /// Puts `account` at an address of its own.
    fn put(&mut self, scene: &mut Scene, name: impl Into<String>, mut account: Account) {
        let address = number(self.next);
        self.next += 1;
        account.lamports = account.lamports.max(100_000_000);
        scene.world.svm.set_account(address, account).expect("an account");
        self.add(name, address);
    }

    fn people(&mut self, scene: &Scene) {
        for who in Who::ALL {
            self.add(format!("the {}", who.name()), who.key(&scene.world));
        }
        self.add("a buyer of another escrow", scene.third.terms.buyer);
        self.add("nothing, or a closed account", nothing());
    }

    fn escrows(&mut self, scene: &Scene) {
        let deals: [(&str, &Deal); 7] = [
            ("the escrow", &scene.deal),
            ("another escrow of the same parties", &scene.other),
            ("an escrow of other parties", &scene.third),
            ("a created escrow of the same parties", &scene.created),
            ("a pending escrow of the same parties", &scene.pending),
            ("a closed escrow", &scene.closed),
            ("an escrow not yet created", &scene.agreed),
        ];
        for (name, deal) in deals {
            self.add(name, deal.escrow);
            self.add(format!("the vault of {name}"), deal.vault);
        }
        let terms_hash = scene.deal.terms.hash().expect("terms that hash");
        self.add("the escrow at another bump", at_another_bump(&[ESCROW_SEED, &terms_hash], &escrow::ID));
        let seeds: &[&[u8]] = &[VAULT_SEED, scene.deal.escrow.as_array()];
        self.add("the vault at another bump", at_another_bump(seeds, &escrow::ID));
    }

    /// The bytes of an escrow, elsewhere.
    fn copies(&mut self, scene: &mut Scene) {
        let world = &scene.world;
        let from = if scene.instruction == "create" { &scene.created } else { &scene.deal };
        let original = world.raw(&from.escrow);
        let copy = |change: &dyn Fn(&mut Account)| {
            let mut account = original.clone();
            change(&mut account);
            account
        };
        let length = original.data.len();
        let copies = [
            ("a copy of the escrow [forged]", copy(&|_| ())),
            ("a copy with another discriminator [forged]", copy(&|account| account.data[0] ^= 1)),
            ("a copy a byte shorter [forged]", copy(&|account| account.data.truncate(length - 1))),
            ("a copy a byte longer [forged]", copy(&|account| account.data.push(0))),
            ("a copy without milestones [forged]", copy(&|account| account.data.truncate(624))),
            ("a copy under the system program [forged]", copy(&|account| account.owner = system_program::ID)),
            ("a copy under SPL Token [forged]", copy(&|account| account.owner = TOKEN)),
            ("a copy under another program", copy(&|account| account.owner = another_program())),
            ("zeros of an escrow's size, given to this program", copy(&|account| account.data.fill(0))),
            ("no bytes, given to this program", copy(&|account| account.data.clear())),
        ];
        for (name, account) in copies {
            self.put(scene, name, account);
        }
        let empty = Account { lamports: 1_000_000_000_000, ..Account::default() };
        self.put(scene, "an empty account with lamports", empty);
    }

    fn tokens(&mut self, scene: &mut Scene) {
        let (mint, program) = (scene.asset.mint(), scene.asset.program());
        let other_program = if program == TOKEN { TOKEN_2022 } else { TOKEN };
        self.add("the mint", mint);
        let mint_account = scene.world.raw(&mint);
        self.put(scene, "another mint", mint_account.clone());
        let other_mint = self.last();
        self.put(
            scene,
            "a mint of the same decimals under the other token program",
            Account { owner: other_program, ..mint_account },
        );
        let twin = self.last();

        for who in [Who::Buyer, Who::Seller, Who::Arbiter, Who::Attester, Who::FeeRecipient, Who::Stranger] {
            let owner = who.key(&scene.world);
            let associated = address::associated_token_address(&owner, &mint, &program);
            self.add(format!("the {}'s associated account", who.name()), associated);
        }
        let theirs = address::associated_token_address(&scene.third.terms.buyer, &mint, &program);
        self.add("the associated account of a buyer of another escrow", theirs);
        for (who, person) in
            [(Who::Buyer, 3), (Who::Seller, 4), (Who::Arbiter, 5), (Who::FeeRecipient, 7), (Who::Stranger, 8)]
        {
            self.add(format!("another account of the {}", who.name()), second_account(person));
        }

        let stranger = Who::Stranger.key(&scene.world);
        let token = |mint: Pubkey, owner: Pubkey, change: &dyn Fn(&mut Vec<u8>)| {
            let mut data = token_account(&mint, &owner, 1_000_000_000_000);
            change(&mut data);
            Account { owner: program, data, ..Account::default() }
        };
        let own = |_: &mut Vec<u8>| ();
        for who in [Who::Buyer, Who::Seller, Who::Arbiter, Who::FeeRecipient] {
            let (owner, name) = (who.key(&scene.world), who.name());
            let frozen = token(mint, owner, &|data| data[STATE] = 2);
            self.put(scene, format!("a frozen account of the {name}"), frozen);
            self.put(scene, format!("an account of another mint, of the {name}"), token(other_mint, owner, &own));
            let twins = Account { owner: other_program, ..token(twin, owner, &own) };
            self.put(scene, format!("an account under the other token program, of the {name}"), twins);
            let seeds: &[&[u8]] = &[owner.as_array(), program.as_array(), mint.as_array()];
            let address = at_another_bump(seeds, &ASSOCIATED_TOKEN_PROGRAM_ID);
            let account = Account { lamports: 100_000_000, ..token(mint, owner, &own) };
            scene.world.svm.set_account(address, account).expect("an account");
            self.add(format!("the {name}'s associated account at another bump [forged]"), address);
        }
        // Its address is the stranger's, its owner is not.
        for (who, giver) in [(Who::Buyer, 141), (Who::Seller, 142)] {
            let address = address::associated_token_address(&number(giver), &mint, &program);
            let account = Account { lamports: 100_000_000, ..token(mint, who.key(&scene.world), &own) };
            scene.world.svm.set_account(address, account).expect("an account");
            // Associated accounts of Token-2022 cannot be given away.
            let forged = if scene.asset == Holding::Token2022 { FORGED } else { "" };
            self.add(format!("another's associated account, given to the {}{forged}", who.name()), address);
        }
        let buyer = Who::Buyer.key(&scene.world);
        let escrow = scene.deal.escrow;
        let delegated = token(mint, stranger, &|data| {
            data[72..76].copy_from_slice(&[1, 0, 0, 0]);
            data[76..108].copy_from_slice(buyer.as_array());
            data[121..129].copy_from_slice(&u64::MAX.to_le_bytes());
        });
        self.put(scene, "an account of the stranger that the buyer may spend from", delegated);
        self.put(scene, "a token account of the escrow that is not the vault", token(mint, escrow, &own));
        self.put(scene, "an uninitialised token account", token(mint, stranger, &|data| data.fill(0)));
        self.put(
            scene,
            "a multisig of the token program",
            token(mint, stranger, &|data| {
                *data = vec![0; 355];
                data[..3].copy_from_slice(&[1, 1, 1]);
                data[3..35].copy_from_slice(stranger.as_array());
            }),
        );
        for (name, owner) in [
            ("this program [forged]", escrow::ID),
            ("the system program [forged]", system_program::ID),
            ("another program", another_program()),
        ] {
            let account = Account { owner, ..token(mint, buyer, &own) };
            self.put(scene, format!("a copy of a token account of the buyer under {name}"), account);
        }
    }

    fn programs_and_sysvars(&mut self) {
        for (name, address) in [
            ("SPL Token", TOKEN),
            ("Token-2022", TOKEN_2022),
            ("the associated-token program", ASSOCIATED_TOKEN_PROGRAM_ID),
            ("this program (none)", NONE),
            ("the system program", system_program::ID),
            ("the native loader", native_loader::ID),
            ("the upgradeable loader", bpf_loader_upgradeable::ID),
            ("the compute-budget program", compute_budget::ID),
            ("the clock sysvar", sysvar::clock::ID),
            ("the rent sysvar", sysvar::rent::ID),
            ("the instructions sysvar", sysvar::instructions::ID),
            ("the slot-hashes sysvar", sysvar::slot_hashes::ID),
        ] {
            self.add(name, address);
        }
    }

    fn last(&self) -> Pubkey {
        self.found.last().map(|candidate| candidate.address).unwrap_or_default()
    }
}

/// The first address of these seeds below the canonical one.
fn at_another_bump(seeds: &[&[u8]], program: &Pubkey) -> Pubkey {
    let (_, canonical) = Pubkey::find_program_address(seeds, program);
    (0..canonical)
        .rev()
        .find_map(|bump| Pubkey::create_program_address(&[seeds, &[&[bump]]].concat(), program).ok())
        .expect("another address off the curve")
}

/// Where the state of a token account stands: 0 uninitialised, 1 initialised, 2 frozen.
const STATE: usize = 108;

fn token_account(mint: &Pubkey, owner: &Pubkey, amount: u64) -> Vec<u8> {
    let mut data = vec![0; 165];
    data[..32].copy_from_slice(mint.as_array());
    data[32..64].copy_from_slice(owner.as_array());
    data[64..72].copy_from_slice(&amount.to_le_bytes());
    data[STATE] = 1;
    data
}

/// Who owns a token account; none for anything else.
pub fn token_owner(account: &Account) -> Option<Pubkey> {
    let long = account.data.len() > 165 && account.data.len() != 355 && account.data[165] == 2;
    let is_token = (account.owner == TOKEN || account.owner == TOKEN_2022) && (account.data.len() == 165 || long);
    let owner = account.data.get(32..64)?.first_chunk::<32>()?;
    is_token.then(|| Pubkey::new_from_array(*owner))
}

/// The account in a slot as it could be instead, at the same address.
pub fn alterations(world: &World, original: &Account) -> Vec<(String, Account)> {
    let stranger = Who::Stranger.key(world);
    let mut altered = Vec::new();
    let mut alter = |name: &str, change: &dyn Fn(&mut Account)| {
        let mut account = original.clone();
        change(&mut account);
        if account != *original {
            altered.push((format!("itself, {name}"), account));
        }
    };
    // Whoever has the key of an address can give it room, and away. Data is written by its owner alone.
    let forged = if original.data.is_empty() { "" } else { FORGED };
    alter("closed", &|account| *account = Account::default());
    let owners = [
        ("the system program", system_program::ID),
        ("this program", escrow::ID),
        ("another program", another_program()),
    ];
    for (name, owner) in owners {
        alter(&format!("under {name}{forged}"), &|account| account.owner = owner);
    }
    alter("zeroed [forged]", &|account| account.data.fill(0));
    alter("without data [forged]", &|account| account.data.clear());
    alter("a byte shorter [forged]", &|account| account.data.truncate(account.data.len().saturating_sub(1)));
    alter(&format!("a byte longer{forged}"), &|account| account.data.push(0));
    if let Some(owner) = token_owner(original) {
        // Associated accounts of Token-2022 cannot be given away, and the program never gives the vault away.
        let by_its_owner = original.data.len() == 165 && Who::ALL.iter().any(|who| who.key(world) == owner);
        let forged = if by_its_owner { "" } else { FORGED };
        alter(&format!("given to a stranger by its owner{forged}"), &|account| {
            account.data[32..64].copy_from_slice(stranger.as_array());
        });
        alter("frozen", &|account| account.data[STATE] = 2);
        alter("empty", &|account| account.data[64..72].fill(0));
    }
    altered
}
