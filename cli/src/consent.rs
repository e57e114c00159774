//! Before anybody signs: what was expected is compared, what is about to be signed is shown, and whoever sits at the terminal is
//! asked. A script says that it agrees (`--yes`), and of what somebody else wrote also what it expects.

use clap::Args;
use escrow_client::{
    EscrowInstruction, Situation, amount::SOL_DECIMALS, recipe::PreviewedRecipe, view, words::refusal::roles,
};
use escrow_frame::terminal::ask;
use solana_pubkey::Pubkey;

use crate::{
    context::Context,
    error::{CliError, Result},
    layout::PlanLayout,
    parse,
};

/// What whoever signs expects of an escrow.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "What you expect: nothing is signed where any of it differs")]
pub struct Expectations {
    /// The seller
    #[arg(value_parser = parse::address, id = "expected_seller", long = "seller", value_name = "ADDRESS")]
    seller: Option<Pubkey>,

    /// The buyer
    #[arg(value_parser = parse::address, id = "expected_buyer", long = "buyer", value_name = "ADDRESS")]
    buyer: Option<Pubkey>,

    /// The arbiter
    #[arg(value_parser = parse::address, id = "expected_arbiter", long = "arbiter", value_name = "ADDRESS")]
    arbiter: Option<Pubkey>,

    /// The whole principal, in SOL or in the token's unit
    #[arg(id = "expected_amount", long = "amount", value_name = "AMOUNT", allow_hyphen_values = true)]
    amount: Option<String>,

    /// The token's mint
    #[arg(value_parser = parse::address, id = "expected_mint", long = "mint", value_name = "ADDRESS")]
    mint: Option<Pubkey>,

    /// The hash of all the terms: with it nothing else need be named
    #[arg(id = "expected_terms_hash", long = "terms-hash", value_name = "HEX", value_parser = parse::hash)]
    terms_hash: Option<[u8; 32]>,

    /// Go on where the seller is no wallet, or looks like somebody else whom you know
    #[arg(id = "any_seller", long = "allow-any-seller")]
    pub any_seller: bool,

    /// How much it is about stands in the command itself.
    #[arg(skip)]
    pub amount_is_typed: bool,
}

impl Expectations {
    /// Nothing is expected.
    pub const NONE: Self = Self {
        seller: None,
        buyer: None,
        arbiter: None,
        amount: None,
        mint: None,
        terms_hash: None,
        any_seller: false,
        amount_is_typed: false,
    };

    /// Nothing is expected but that it goes on where `any_seller` says so.
    pub fn of_ones_own(any_seller: bool) -> Self {
        Self { any_seller, ..Self::NONE }
    }

    /// Refuses an escrow of which anything is not as expected.
    fn hold(&self, situation: &Situation) -> Result<()> {
        let state = &situation.escrow.state;
        let differs = |what: &str, expected: String, is: String| {
            Err(CliError::Unexpected { what: what.to_owned(), expected, is, escrow: situation.escrow.address })
        };
        for (what, expected, is) in [
            ("seller", self.seller, state.seller),
            ("buyer", self.buyer, state.buyer),
            ("arbiter", self.arbiter, state.arbiter),
            ("mint", self.mint, state.mint),
        ] {
            match expected {
                Some(expected) if expected != is => {
                    let is = if is == Pubkey::default() { "none".to_owned() } else { is.to_string() };
                    return differs(what, expected.to_string(), is);
                }
                _ => {}
            }
        }
        if let Some(amount) = &self.amount {
            let (expected, is) = (situation.denomination.parse(amount)?, state.ledger.principal);
            if expected != is {
                let told = |units| situation.denomination.amount(units).to_string();
                return differs("amount", told(expected), told(is));
            }
        }
        match self.terms_hash {
            Some(expected) if expected != state.terms_hash => {
                differs("terms hash", hex::encode(expected), hex::encode(state.terms_hash))
            }
            _ => Ok(()),
        }
    }

    /// Whether they say which deal it is: all terms, or with whom and how much.
    fn name_the_deal(&self, signer: &Pubkey, situation: &Situation) -> bool {
        let state = &situation.escrow.state;
        // The other side: who signs is known.
        let with_whom =
            (self.seller.is_some() && state.seller != *signer) || (self.buyer.is_some() && state.buyer != *signer);
        self.terms_hash.is_some() || (with_whom && (self.amount.is_some() || self.amount_is_typed))
    }
}

/// How much a deal on mainnet may be about before the amount has to be typed, in whole units of its asset.
const TYPED_ABOVE: u64 = 10;

/// Whether signing needs to be agreed to: money is paid in, decided or paid out, or whoever signs pays for an account.
fn moves_money(recipe: &PreviewedRecipe) -> bool {
    let moves = |action: &escrow_client::recipe::PreviewedAction| {
        let effects = &action.preview.effects;
        effects.paid_in > 0
            || effects.moved().is_some()
            || matches!(action.action.instruction, EscrowInstruction::Create { .. })
    };
    recipe.opened > 0 || recipe.actions.iter().any(moves)
}

/// Whether what moves was written by somebody else, and not typed in this very command.
fn is_somebody_elses(recipe: &PreviewedRecipe) -> bool {
    let created = recipe.actions.iter().any(|done| matches!(done.action.instruction, EscrowInstruction::Create { .. }));
    !created
        && recipe.actions.iter().any(|done| {
            matches!(
                done.action.instruction,
                EscrowInstruction::Fund
                    | EscrowInstruction::Cancel
                    | EscrowInstruction::Rule { .. }
                    | EscrowInstruction::Accept { .. }
            )
        })
}

/// What is about to be signed, with what it costs.
pub async fn plan(
    context: &Context,
    situation: &Situation,
    recipe: &PreviewedRecipe,
    signatures: u64,
) -> Result<view::Plan> {
    let cost = context.client.cost(recipe, signatures).await?;
    let cluster = Some(context.cluster().await?);
    Ok(view::Plan { cluster, cost: Some(cost.into()), ..view::Plan::new(situation, recipe)? })
}

/// Compares what is expected.
pub fn expected(situation: &Situation, expectations: &Expectations) -> Result<()> {
    expectations.hold(situation)
}

/// Shows `plan`, and returns where whoever signs agrees to it.
pub fn obtain(
    context: &Context,
    situation: &Situation,
    recipe: &PreviewedRecipe,
    plan: &view::Plan,
    expectations: &Expectations,
) -> Result<()> {
    let signer = context.address()?;
    if !moves_money(recipe) || context.says_yes() {
        return Ok(());
    }
    let script = context.agrees();
    if script {
        if is_somebody_elses(recipe) && !expectations.name_the_deal(&signer, situation) {
            return Err(CliError::Unconfirmed(unnamed(&signer, situation, plan)));
        }
        for warning in plan.found.iter().chain(&plan.escrow.warnings) {
            context.note(format_args!("{} {warning}", escrow_frame::terminal::warning("warning:")));
        }
        return Ok(());
    }
    if !context.is_for_people() {
        return Err(CliError::Unconfirmed(unconfirmed(&signer, situation, recipe, plan)));
    }
    let question = question(plan, situation);
    let text = format!(
        "{}\n{}",
        PlanLayout { plan, signer: Some(&signer), roles: &roles(&situation.escrow, &signer) },
        question.text()
    );
    match ask(&text) {
        Ok(None) => Err(CliError::Unconfirmed(unconfirmed(&signer, situation, recipe, plan))),
        Ok(Some(answer)) if question.is_answered_by(&answer) => Ok(()),
        Ok(Some(_)) | Err(_) => Err(CliError::Declined),
    }
}

/// What whoever signs is asked.
enum Question {
    YesOrNo,
    /// So much is at stake that it has to be typed.
    Typed(String),
}

fn question(plan: &view::Plan, situation: &Situation) -> Question {
    let real = plan.cluster.as_ref().is_none_or(|cluster| cluster.real);
    let decimals = situation.denomination.known_decimals().unwrap_or(SOL_DECIMALS);
    let limit = 10u64.checked_pow(u32::from(decimals)).and_then(|unit| unit.checked_mul(TYPED_ABOVE));
    let principal = situation.escrow.state.ledger.principal;
    match real && limit.is_some_and(|limit| principal > limit) {
        true => Question::Typed(situation.denomination.amount(principal).digits()),
        false => Question::YesOrNo,
    }
}

impl Question {
    fn text(&self) -> String {
        match self {
            Self::YesOrNo => "Sign and send this? [y/N] ".to_owned(),
            Self::Typed(amount) => format!("To sign and send this, type the amount, {amount}: "),
        }
    }

    fn is_answered_by(&self, answer: &str) -> bool {
        match self {
            Self::YesOrNo => matches!(answer.to_lowercase().as_str(), "y" | "yes"),
            Self::Typed(amount) => answer == amount,
        }
    }
}

/// What a script has to say that has not said `--yes`.
fn unconfirmed(signer: &Pubkey, situation: &Situation, recipe: &PreviewedRecipe, plan: &view::Plan) -> String {
    let does = plan.actions.join(" ");
    match is_somebody_elses(recipe) {
        true => unnamed(signer, situation, plan),
        false => format!("nothing was signed: nobody is at a terminal to be asked. Add --yes to do this: {does}"),
    }
}

/// What a script has to say of a deal that somebody else wrote.
fn unnamed(signer: &Pubkey, situation: &Situation, plan: &view::Plan) -> String {
    let state = &situation.escrow.state;
    let whom = if state.seller == *signer { ("--buyer", state.buyer) } else { ("--seller", state.seller) };
    format!(
        "nothing was signed: say with --yes what you expect, so that nothing else is signed. {} If you expect this deal: --yes \
         {} {} --amount {}, or --yes --terms-hash {}",
        plan.actions.join(" "),
        whom.0,
        whom.1,
        situation.denomination.amount(state.ledger.principal).digits(),
        hex::encode(state.terms_hash)
    )
}

#[cfg(test)]
mod tests {
    use escrow_client::{EscrowAccount, Recipe, TermsBuilder, terms::Asset, words::Denomination};

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn key(byte: u8) -> Pubkey {
        Pubkey::new_from_array([byte; 32])
    }

    fn situation(amount: u64) -> Situation {
        let terms = TermsBuilder::new(key(1), key(2), Asset::Sol).milestone(amount, NOW + 864_000).build(NOW).unwrap();
        let escrow = EscrowAccount::agreed(&terms, key(1)).unwrap();
        Situation { escrow, denomination: Denomination::SOL, now: NOW }
    }

    #[test]
    fn any_difference_is_refused() {
        let situation = situation(1_500_000_000);
        let same = Expectations {
            seller: Some(key(2)),
            buyer: Some(key(1)),
            amount: Some("1.5".to_owned()),
            terms_hash: Some(situation.escrow.state.terms_hash),
            ..Expectations::NONE
        };
        same.hold(&situation).unwrap();
        for other in [
            Expectations { seller: Some(key(3)), ..same.clone() },
            Expectations { buyer: Some(key(3)), ..same.clone() },
            Expectations { arbiter: Some(key(3)), ..same.clone() },
            Expectations { mint: Some(key(3)), ..same.clone() },
            Expectations { amount: Some("1.500000001".to_owned()), ..same.clone() },
            Expectations { terms_hash: Some([0; 32]), ..same.clone() },
        ] {
            assert!(matches!(other.hold(&situation), Err(CliError::Unexpected { .. })), "{other:?}");
        }
    }

    #[test]
    fn a_script_says_with_whom_and_how_much() {
        let situation = situation(1);
        let named = |expectations: &Expectations| expectations.name_the_deal(&key(1), &situation);
        let seller = Expectations { seller: Some(key(2)), ..Expectations::NONE };
        assert!(!named(&Expectations::NONE) && !named(&seller));
        assert!(named(&Expectations { amount: Some("1".to_owned()), ..seller }));
        assert!(named(&Expectations { terms_hash: Some([0; 32]), ..Expectations::NONE }));
        // Oneself is not whom the deal is with.
        let buyer = Expectations { buyer: Some(key(1)), amount: Some("1".to_owned()), ..Expectations::NONE };
        assert!(!named(&buyer));
    }

    #[test]
    fn much_on_mainnet_has_to_be_typed() {
        let plan = |real, situation: &Situation| {
            let recipe = Recipe::create(&situation.escrow.terms(), key(1), true).unwrap();
            let recipe = recipe.preview(&situation.escrow, NOW).unwrap();
            let mut plan = view::Plan::new(situation, &recipe).unwrap();
            plan.cluster = Some(view::Cluster {
                name: String::new(),
                genesis: None,
                real,
                url: String::new(),
                commitment: String::new(),
                program: String::new(),
            });
            plan
        };
        let (much, little) = (situation(10_500_000_000), situation(10_000_000_000));
        let asked = question(&plan(true, &much), &much);
        assert!(asked.is_answered_by("10.5") && !asked.is_answered_by("y") && !asked.is_answered_by(""));
        for (real, situation) in [(true, &little), (false, &much)] {
            let asked = question(&plan(real, situation), situation);
            assert!(asked.is_answered_by("Yes") && !asked.is_answered_by("10.5") && !asked.is_answered_by(""));
        }
    }
}
