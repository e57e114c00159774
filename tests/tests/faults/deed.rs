//! What somebody means to do once, and how often the chain shows that it was done.

use std::time::Duration;

use escrow_client::{
    Action, EscrowAccount, EscrowClient, EscrowInstruction, Filter, MilestoneStatus, OrderStep, Party, Proposal,
    Recipe, Recipient, Result, Signed, Terms, TermsBuilder, instruction,
    sender::Intention,
    terms::{Asset, DAY},
};
use rand::{Rng, rngs::StdRng};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer;
use solana_system_interface::instruction::transfer;
use tokio::sync::Mutex;

use crate::world::{MONEY, World};

/// What is in an escrow, and a part of it, in lamports.
const AMOUNT: u64 = MONEY / 20;
const PART: u64 = AMOUNT / 10;

/// What opens the hash-lock, and the file in which a command finds it.
pub const SECRET: [u8; 32] = [0x5e; 32];
pub const SECRET_FILE: &str = "secret";

/// Seconds until a deadline that is waited for.
const SOON: i64 = 4;

/// What is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deed {
    /// A part of a milestone is released. Nothing in the program stands against doing it again.
    Release,
    /// A part of a milestone is refunded. The same.
    Refund,
    /// An escrow is made and funded in one transaction. Made again, it is another escrow.
    Create,
    /// The same in two transactions.
    CreateThenFund,
    /// Money is sent to an address, with no escrow that would show it.
    Pay,
    /// The same in a transaction that the caller has signed and keeps: submitted, and then waited for.
    Submit,
    Fund,
    Deliver,
    Withdraw,
    Close,
    Cancel,
    Dispute,
    Rule,
    Accept,
    Claim,
    Expire,
}

impl Deed {
    /// One of those that every door has; of `all`.
    pub fn random(random: &mut StdRng, all: bool) -> Self {
        use Deed::{
            Accept, Cancel, Claim, Close, Create, CreateThenFund, Deliver, Dispute, Expire, Fund, Pay, Refund, Release,
            Rule, Submit, Withdraw,
        };
        loop {
            // Those that can be done twice come more often.
            let deeds = [
                Release,
                Release,
                Release,
                Refund,
                Create,
                Create,
                CreateThenFund,
                Pay,
                Submit,
                Fund,
                Deliver,
                Withdraw,
                Close,
                Cancel,
                Dispute,
                Rule,
                Accept,
                Claim,
                Expire,
            ];
            let deed = deeds[random.random_range(0..deeds.len())];
            if all || !matches!(deed, CreateThenFund | Pay | Submit) {
                return deed;
            }
        }
    }

    /// Whether the program refuses a second time, so that a refusal may mean that it is done.
    pub fn is_refused_twice(self) -> bool {
        use Deed::{Create, CreateThenFund, Pay, Refund, Release, Submit};
        !matches!(self, Release | Refund | Create | CreateThenFund | Pay | Submit)
    }
}

/// Who is in a schedule, and what it is about.
pub struct Scene {
    pub deed: Deed,
    pub buyer: Keypair,
    pub seller: Keypair,
    arbiter: Keypair,
    terms: Terms,
    /// The escrow, where the deed does not make it.
    pub escrow: Pubkey,
    /// What the caller has signed and not seen the end of.
    pub signed: Mutex<Option<Signed>>,
    /// Under which number the caller asks a gateway: another one after each that came to nothing.
    pub asked: Mutex<u32>,
}

impl Scene {
    pub async fn new(world: &World, deed: Deed) -> Self {
        let [buyer, seller, arbiter] = world.people().await;
        let now = world.chain.now().await.expect("the time");
        // An escrow is closed after its funding deadline at the earliest.
        let waits = matches!(deed, Deed::Close | Deed::Expire);
        let fund_by = waits.then_some(now + SOON);
        let deliver_by = if deed == Deed::Expire { now + SOON + 1 } else { now + 30 * i64::from(DAY) };
        let hashlock = (deed == Deed::Claim).then(|| Sha256::digest(SECRET).into());
        let terms = TermsBuilder {
            fund_by,
            hashlock,
            arbiter: Some(arbiter.pubkey()),
            ..TermsBuilder::new(buyer.pubkey(), seller.pubkey(), Asset::Sol)
        };
        let terms = terms.milestone(AMOUNT, deliver_by).build(now).expect("terms");
        let agreed = EscrowAccount::agreed(&terms, buyer.pubkey()).expect("an account");
        let create = || instruction::create(buyer.pubkey(), &terms).expect("create");
        let fund = || instruction::fund(&terms).expect("fund");
        let all = instruction::Part { amount: AMOUNT, of: AMOUNT };
        let release = || instruction::release(agreed.address, buyer.pubkey(), 0, all);
        let deliver = || instruction::deliver(agreed.address, seller.pubkey(), 0, [1; 32]);
        let dispute = || instruction::dispute(agreed.address, buyer.pubkey(), 0, [2; 32]);
        let offer = Proposal::Split {
            milestone: 0,
            status: MilestoneStatus::Pending,
            remaining: AMOUNT,
            to_seller: PART,
            expires_at: now + i64::from(DAY),
        };
        let propose = || instruction::propose(agreed.address, buyer.pubkey(), offer);
        let withdraw = || instruction::withdraw(&agreed, Recipient::Seller);
        let before = match deed {
            Deed::Create | Deed::CreateThenFund | Deed::Pay | Deed::Submit => Vec::new(),
            Deed::Fund | Deed::Cancel => vec![create()],
            Deed::Release | Deed::Refund | Deed::Deliver | Deed::Claim | Deed::Expire => vec![create(), fund()],
            Deed::Dispute => vec![create(), fund(), deliver()],
            Deed::Rule => vec![create(), fund(), deliver(), dispute()],
            Deed::Accept => vec![create(), fund(), propose()],
            Deed::Withdraw => vec![create(), fund(), release()],
            Deed::Close => vec![create(), fund(), release(), withdraw()],
        };
        if !before.is_empty() {
            let signs = |who: &&Keypair| {
                before.iter().flat_map(|done| &done.accounts).any(|meta| meta.is_signer && meta.pubkey == who.pubkey())
            };
            let signers: Vec<&Keypair> = [&buyer, &seller].into_iter().filter(signs).collect();
            world.execute(&before, &signers).await;
        }
        let over = if deed == Deed::Expire { deliver_by } else { terms.fund_by };
        while fund_by.is_some() && world.chain.now().await.expect("the time") <= over {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Self {
            deed,
            escrow: agreed.address,
            buyer,
            seller,
            arbiter,
            terms,
            signed: Mutex::default(),
            asked: Mutex::default(),
        }
    }

    /// Who does it, and pays the fee.
    pub fn actor(&self) -> &Keypair {
        match self.deed {
            Deed::Refund | Deed::Deliver | Deed::Accept | Deed::Claim => &self.seller,
            Deed::Rule => &self.arbiter,
            _ => &self.buyer,
        }
    }

    /// How often it was done, by the chain itself.
    pub async fn effects(&self, world: &World) -> u64 {
        let chain = &world.chain;
        let found = chain.find(&self.escrow).await.expect("the validator answers");
        let milestone = |found: &Option<EscrowAccount>| found.as_ref().expect("an escrow").milestones[0];
        match self.deed {
            Deed::Release | Deed::Refund => (AMOUNT - milestone(&found).remaining) / PART,
            Deed::Create | Deed::CreateThenFund => {
                let of_buyer = Filter { buyer: Some(self.buyer.pubkey()), ..Filter::default() };
                let found = chain.list(&of_buyer).await.expect("the validator answers");
                u64::try_from(found.iter().filter(|escrow| escrow.is_funded()).count()).expect("a count")
            }
            // Nobody pays a fee from it.
            Deed::Pay | Deed::Submit => {
                (world.net.balance(&self.seller.pubkey()).await.expect("a balance") - MONEY) / PART
            }
            Deed::Fund => u64::from(found.expect("an escrow").is_funded()),
            Deed::Deliver => u64::from(milestone(&found).status() == Ok(MilestoneStatus::Delivered)),
            Deed::Dispute => u64::from(milestone(&found).status() == Ok(MilestoneStatus::Disputed)),
            Deed::Rule | Deed::Accept | Deed::Claim | Deed::Expire => {
                u64::from(milestone(&found).status() == Ok(MilestoneStatus::Settled))
            }
            Deed::Withdraw => u64::from(found.expect("an escrow").due().next().is_none()),
            Deed::Close | Deed::Cancel => u64::from(found.is_none()),
        }
    }

    /// The transactions, as a back end makes them that reads what they act on.
    pub async fn steps(&self, client: &EscrowClient, begun: Option<&Intention>) -> Result<Vec<OrderStep>> {
        let buyer = self.buyer.pubkey();
        if self.deed == Deed::Pay {
            return Ok(vec![OrderStep { instructions: vec![self.payment()], expected: None }]);
        }
        let now = client.now().await?;
        if let Deed::Create | Deed::CreateThenFund = self.deed {
            // As somebody who types it: what was begun is what was signed, else it is another escrow each time.
            let terms = match begun.and_then(created) {
                Some(terms) => terms,
                None => Terms { salt: rand::rng().random(), ..self.terms.clone() },
            };
            let agreed = EscrowAccount::agreed(&terms, buyer)?;
            if self.deed == Deed::Create {
                return planned(&Recipe::create(&terms, buyer, true)?, &agreed, now, &buyer);
            }
            let mut steps = planned(&Recipe::create(&terms, buyer, false)?, &agreed, now, &buyer)?;
            let fund = Recipe::only(Action::new(&agreed, EscrowInstruction::Fund));
            steps.extend(planned(&fund, &agreed, now, &buyer)?);
            return Ok(steps);
        }
        let found = client.escrow(&self.escrow).await?;
        let instruction = match self.deed {
            Deed::Release => EscrowInstruction::Release {
                milestone: 0,
                amount: PART,
                expected_remaining: found.milestone(0)?.remaining,
            },
            Deed::Refund => EscrowInstruction::Refund {
                milestone: 0,
                amount: PART,
                expected_remaining: found.milestone(0)?.remaining,
            },
            Deed::Deliver => EscrowInstruction::Deliver { milestone: 0, evidence_hash: [1; 32] },
            Deed::Withdraw => EscrowInstruction::Withdraw { recipient: Recipient::Seller },
            Deed::Close => EscrowInstruction::Close,
            Deed::Cancel => EscrowInstruction::Cancel,
            Deed::Dispute => EscrowInstruction::Dispute { milestone: 0, reason_hash: [2; 32] },
            Deed::Rule => EscrowInstruction::Rule { milestone: 0, seller_bps: 6_000, rationale_hash: [3; 32] },
            Deed::Accept => EscrowInstruction::Accept { proposal: found.state.slot(Party::Buyer).proposal()? },
            Deed::Claim => EscrowInstruction::Claim { milestone: 0, secret: SECRET },
            Deed::Expire => EscrowInstruction::Expire { milestone: 0 },
            _ => EscrowInstruction::Fund,
        };
        let mut action = Action::new(&found, instruction);
        if let Deed::Cancel | Deed::Accept = self.deed {
            action = action.by(self.actor().pubkey());
        }
        planned(&Recipe::only(action), &found, now, &self.actor().pubkey())
    }

    /// A payment that no escrow shows.
    pub fn payment(&self) -> Instruction {
        transfer(&self.buyer.pubkey(), &self.seller.pubkey(), PART)
    }

    /// What a gateway is asked to build. The same each time, so that it is the same request.
    pub fn order(&self) -> Value {
        let of_escrow = |kind: &str| json!({"type": kind, "escrow": self.escrow.to_string()});
        let with = |kind: &str, more: Value| {
            let mut action = of_escrow(kind);
            for (name, value) in more.as_object().into_iter().flatten() {
                action[name] = value.clone();
            }
            action
        };
        let by = self.actor().pubkey().to_string();
        let action = match self.deed {
            Deed::Release => with("release", json!({"milestone": 1, "amount": PART.to_string()})),
            Deed::Refund => with("refund", json!({"milestone": 1, "amount": PART.to_string()})),
            Deed::Create | Deed::CreateThenFund | Deed::Pay | Deed::Submit => {
                let milestone = self.terms.milestones.first().expect("a milestone");
                let terms = json!({
                    "buyer": self.buyer.pubkey().to_string(),
                    "seller": self.seller.pubkey().to_string(),
                    "arbiter": self.arbiter.pubkey().to_string(),
                    "milestones": [{"amount": milestone.amount.to_string(), "deliver_by": milestone.deliver_by}],
                });
                json!({"type": "create", "fund": true, "terms": terms})
            }
            Deed::Fund => of_escrow("fund"),
            Deed::Deliver => with("deliver", json!({"milestone": 1})),
            Deed::Withdraw => with("withdraw", json!({"recipient": "seller"})),
            Deed::Close => of_escrow("close"),
            Deed::Cancel => with("cancel", json!({"by": by})),
            Deed::Dispute => with("dispute", json!({"milestone": 1})),
            Deed::Rule => with("rule", json!({"milestone": 1, "seller_bps": 6_000})),
            Deed::Accept => with("accept", json!({"by": by})),
            Deed::Claim => {
                let secret: String = SECRET.iter().map(|byte| format!("{byte:02x}")).collect();
                with("claim", json!({"milestone": 1, "secret": secret}))
            }
            Deed::Expire => with("expire", json!({"milestone": 1})),
        };
        json!({"actions": [action], "fee_payer": by})
    }

    /// What is typed, behind `escrow`.
    pub fn words(&self) -> Vec<String> {
        let (escrow, seller) = (self.escrow, self.seller.pubkey());
        let agreed = EscrowAccount::agreed(&self.terms, self.buyer.pubkey()).expect("an account");
        let hash: String = agreed.state.terms_hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let part = format!("0.{:09}", PART);
        let line = match self.deed {
            Deed::Release => format!("release {escrow} --amount {part}"),
            Deed::Refund => format!("refund {escrow} --amount {part}"),
            Deed::Create | Deed::CreateThenFund | Deed::Pay | Deed::Submit => {
                format!("create --seller {seller} --amount 0.{AMOUNT:09} --deliver-by 30d --fund --unruled 50")
            }
            Deed::Fund => format!("fund {escrow} --terms-hash {hash}"),
            Deed::Deliver => format!("deliver {escrow}"),
            Deed::Withdraw => format!("withdraw {escrow}"),
            Deed::Close => format!("close {escrow}"),
            Deed::Cancel => format!("cancel {escrow} --terms-hash {hash}"),
            Deed::Dispute => format!("dispute {escrow}"),
            Deed::Rule => format!("rule {escrow} --seller-share 60 --terms-hash {hash}"),
            Deed::Accept => format!("accept {escrow} --terms-hash {hash}"),
            Deed::Claim => format!("claim {escrow} --secret {SECRET_FILE}"),
            Deed::Expire => format!("expire {escrow}"),
        };
        // As a script that has looked at the deal before.
        format!("{line} --yes").split(' ').map(str::to_owned).collect()
    }
}

fn planned(recipe: &Recipe, escrow: &EscrowAccount, now: i64, payer: &Pubkey) -> Result<Vec<OrderStep>> {
    let previewed = recipe.preview(escrow, now).map_err(|refused| refused.error)?;
    Ok(previewed.steps(payer)?)
}

/// The terms of the escrow that a run before creates.
fn created(begun: &Intention) -> Option<Terms> {
    let signed = begun.records().iter().rev().filter_map(|record| Signed::of(&record.signed.attempt).ok());
    let mut actions = signed.flat_map(|signed| signed.actions());
    actions.find_map(|action| match action.instruction {
        EscrowInstruction::Create { terms } => Some(*terms),
        _ => None,
    })
}
