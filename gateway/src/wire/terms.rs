//! Terms, as they are written in requests and answers.

use escrow_client::{
    MilestoneTerms, Terms as Agreed, TermsBuilder,
    escrow::state::is_named,
    terms::{Asset, Fee, Retention as Retained, defaults},
    view::risk_names,
    words::parse,
};
use serde::{Deserialize, Serialize};
use solana_pubkey::Pubkey;
use utoipa::ToSchema;

use super::{Address, Hash, Salt, Units};
use crate::problem::{Problem, Result};

/// What the parties agree on. What is left out is none, or the usual value. Times are absolute, because the escrow's address
/// follows from all of it: send the complete terms of an answer again, and the address is the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// Who pays.
    pub buyer: Address,
    /// Who delivers and is paid.
    pub seller: Address,
    /// The token's mint; none for SOL.
    #[serde(default)]
    pub mint: Option<Address>,
    /// The program of the mint, SPL Token or Token-2022: with `mint`, and only with it.
    #[serde(default)]
    pub token_program: Option<Address>,
    /// Who may rule on disputes.
    #[serde(default)]
    pub arbiter: Option<Address>,
    /// Who delivers in the seller's place.
    #[serde(default)]
    pub attester: Option<Address>,
    /// Who is paid the fee: with `fee_bps`, and only with it.
    #[serde(default)]
    pub fee_recipient: Option<Address>,
    /// The fee on what is released, in basis points.
    #[serde(default)]
    #[schema(maximum = 1000)]
    pub fee_bps: Option<u16>,
    /// The arbiter's fee on what a ruling decides, in basis points.
    #[serde(default)]
    #[schema(maximum = 1000)]
    pub arbiter_fee_bps: Option<u16>,
    /// The powers of the token's issuer that the parties accept.
    #[serde(default)]
    #[schema(max_items = 5)]
    pub accepted_risks: Vec<String>,
    /// Funded before this time, in unix seconds. A day from now if it is left out, or before the first delivery deadline.
    #[serde(default)]
    pub fund_by: Option<i64>,
    /// How long after funding the buyer may cancel, in seconds; none if it is left out.
    #[serde(default)]
    pub cooling_off_seconds: Option<u32>,
    /// How long a dispute may stay open, in seconds; seven days if it is left out.
    #[serde(default)]
    pub ruling_window_seconds: Option<u32>,
    /// The seller's share where nothing is delivered in time, in basis points; 0 if it is left out.
    #[serde(default)]
    #[schema(maximum = 10000)]
    pub undelivered_bps: Option<u16>,
    /// The seller's share where the buyer does not answer a delivery in time, in basis points; 10,000 if it is left out.
    #[serde(default)]
    #[schema(maximum = 10000)]
    pub unanswered_bps: Option<u16>,
    /// The seller's share where nobody rules on a dispute in time, in basis points; 5,000 if it is left out.
    #[serde(default)]
    #[schema(maximum = 10000)]
    pub unruled_bps: Option<u16>,
    /// sha256 of a secret that claims the only milestone.
    #[serde(default)]
    pub hashlock: Option<Hash>,
    /// sha256 of the written agreement.
    #[serde(default)]
    pub document_hash: Option<Hash>,
    /// What makes these terms differ from the same ones agreed on again; random if it is left out.
    #[serde(default)]
    pub salt: Option<Salt>,
    /// The milestones.
    #[schema(min_items = 1, max_items = 8)]
    pub milestones: Vec<Milestone>,
    /// A part of every milestone that the seller gets later. In an answer it is a milestone of its own.
    #[serde(default)]
    pub retention: Option<Retention>,
}

/// A milestone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MilestoneTerms)]
pub struct Milestone {
    /// What it is about.
    pub amount: Units,
    /// Delivered before this time, in unix seconds.
    pub deliver_by: i64,
    /// How long the buyer may review the delivery, in seconds; three days if it is left out.
    #[serde(default)]
    pub review_window_seconds: Option<u32>,
}

/// A part that is paid later: delivered with the last work, and disputable for this long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// The part, in basis points.
    #[schema(maximum = 10000)]
    pub bps: u16,
    /// How long it is retained, in seconds.
    pub seconds: u32,
}

impl Terms {
    /// The terms at `now`, in unix seconds. `pointer` is where they stand in the request.
    ///
    /// # Errors
    ///
    /// Where they contradict themselves, or the program would refuse them.
    pub fn build(&self, now: i64, pointer: &str) -> Result<Agreed> {
        self.builder(pointer)?.build(now).map_err(|error| refused(&error, pointer))
    }

    /// The same without asking what the program would say of them now: to find an escrow again.
    ///
    /// # Errors
    ///
    /// Where they contradict themselves.
    pub fn assemble(&self, now: i64, pointer: &str) -> Result<Agreed> {
        self.builder(pointer)?.assemble(now).map_err(|error| refused(&error, pointer))
    }

    fn builder(&self, pointer: &str) -> Result<TermsBuilder> {
        let at = |field: &str, detail: &str| Problem::invalid(format!("{pointer}/{field}"), detail);
        let asset = match (self.mint, self.token_program) {
            (None, None) => Asset::Sol,
            (Some(mint), Some(program)) => Asset::Token { mint: mint.0, program: program.0 },
            (Some(_), None) => {
                return Err(at("token_program", "is needed with a mint: the program that owns the mint"));
            }
            (None, Some(_)) => return Err(at("mint", "is needed with a token program")),
        };
        let fee = match (self.fee_recipient, self.fee_bps.unwrap_or(0)) {
            (None, 0) => None,
            (Some(recipient), bps) => Some(Fee { recipient: recipient.0, bps }),
            (None, _) => return Err(at("fee_recipient", "is needed with a fee")),
        };
        let mut accepted_risks = 0;
        for (index, risk) in self.accepted_risks.iter().enumerate() {
            accepted_risks |= parse::risk(risk).map_err(|detail| at(&format!("accepted_risks/{index}"), &detail))?;
        }
        let milestone = |milestone: &Milestone| MilestoneTerms {
            amount: milestone.amount.0,
            deliver_by: milestone.deliver_by,
            review_window: milestone.review_window_seconds.unwrap_or(defaults::REVIEW_WINDOW),
        };
        Ok(TermsBuilder {
            arbiter: self.arbiter.map(|address| address.0),
            attester: self.attester.map(|address| address.0),
            fee,
            arbiter_fee_bps: self.arbiter_fee_bps,
            accepted_risks,
            fund_by: self.fund_by,
            cooling_off: self.cooling_off_seconds,
            ruling_window: self.ruling_window_seconds,
            undelivered_bps: self.undelivered_bps,
            unanswered_bps: self.unanswered_bps,
            unruled_bps: self.unruled_bps,
            hashlock: self.hashlock.map(|hash| hash.0),
            document_hash: self.document_hash.map(|hash| hash.0),
            salt: self.salt.map(|salt| salt.0),
            milestones: self.milestones.iter().map(milestone).collect(),
            retention: self.retention.as_ref().map(|part| Retained { bps: part.bps, seconds: part.seconds }),
            ..TermsBuilder::new(self.buyer.0, self.seller.0, asset)
        })
    }
}

fn refused(error: &escrow_client::terms::TermsError, pointer: &str) -> Problem {
    use escrow_client::terms::TermsError;
    let program_error = match error {
        TermsError::Rule(rule) => Some(*rule),
        _ => None,
    };
    Problem { program_error, ..Problem::new(crate::problem::Code::Refused, error.to_string()).at(pointer) }
}

/// Complete: everything that was left out stands in it.
impl From<&Agreed> for Terms {
    fn from(terms: &Agreed) -> Self {
        let named = |address: &Pubkey| is_named(address).then_some(Address(*address));
        let hash = |bytes: &[u8; 32]| (*bytes != [0; 32]).then_some(Hash(*bytes));
        Self {
            buyer: Address(terms.buyer),
            seller: Address(terms.seller),
            mint: named(&terms.mint),
            token_program: named(&terms.token_program),
            arbiter: named(&terms.arbiter),
            attester: named(&terms.attester),
            fee_recipient: named(&terms.fee_recipient),
            fee_bps: Some(terms.fee_bps),
            arbiter_fee_bps: Some(terms.arbiter_fee_bps),
            accepted_risks: risk_names(terms.accepted_risks),
            fund_by: Some(terms.fund_by),
            cooling_off_seconds: Some(terms.cooling_off),
            ruling_window_seconds: Some(terms.ruling_window),
            undelivered_bps: Some(terms.undelivered_bps),
            unanswered_bps: Some(terms.unanswered_bps),
            unruled_bps: Some(terms.unruled_bps),
            hashlock: hash(&terms.hashlock),
            document_hash: hash(&terms.document_hash),
            salt: Some(Salt(terms.salt)),
            milestones: terms
                .milestones
                .iter()
                .map(|milestone| Milestone {
                    amount: Units(milestone.amount),
                    deliver_by: milestone.deliver_by,
                    review_window_seconds: Some(milestone.review_window),
                })
                .collect(),
            retention: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn minimal() -> Terms {
        let json = serde_json::json!({
            "buyer": Pubkey::new_from_array([1; 32]).to_string(),
            "seller": Pubkey::new_from_array([2; 32]).to_string(),
            "milestones": [{"amount": "1000", "deliver_by": NOW + 864_000}],
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn complete_terms_are_the_same_terms_again() {
        let token = Address(Pubkey::new_from_array([5; 32]));
        let cases = [
            minimal(),
            Terms { retention: Some(Retention { bps: 1_000, seconds: 86_400 }), ..minimal() },
            Terms {
                mint: Some(token),
                token_program: Some(token),
                arbiter: Some(token),
                fee_recipient: Some(token),
                fee_bps: Some(250),
                accepted_risks: vec!["freeze".to_owned(), "pausable".to_owned()],
                document_hash: Some(Hash([7; 32])),
                cooling_off_seconds: Some(60),
                ..minimal()
            },
        ];
        for terms in cases {
            let agreed = terms.build(NOW, "").unwrap();
            let complete = Terms::from(&agreed);
            assert_eq!(complete.build(NOW, "").unwrap(), agreed);
            let json = serde_json::to_string(&complete).unwrap();
            assert_eq!(serde_json::from_str::<Terms>(&json).unwrap(), complete);
        }
    }

    #[test]
    fn what_contradicts_itself_is_told_with_its_place() {
        let some = Some(Address(Pubkey::new_from_array([5; 32])));
        for (terms, place) in [
            (Terms { mint: some, ..minimal() }, "/terms/token_program"),
            (Terms { token_program: some, ..minimal() }, "/terms/mint"),
            (Terms { fee_bps: Some(1), ..minimal() }, "/terms/fee_recipient"),
            (Terms { accepted_risks: vec!["x".to_owned()], ..minimal() }, "/terms/accepted_risks/0"),
            (Terms { milestones: vec![], ..minimal() }, "/terms"),
            (Terms { milestones: vec![minimal().milestones[0].clone(); 10_000], ..minimal() }, "/terms"),
            (Terms { fund_by: Some(i64::MIN), ..minimal() }, "/terms"),
            (Terms { fund_by: Some(i64::MAX), ..minimal() }, "/terms"),
            (Terms { undelivered_bps: Some(u16::MAX), ..minimal() }, "/terms"),
            (Terms { retention: Some(Retention { bps: u16::MAX, seconds: u32::MAX }), ..minimal() }, "/terms"),
        ] {
            let problem = terms.build(NOW, "/terms").unwrap_err();
            assert_eq!(problem.errors[0].pointer, place, "{}", problem.detail);
        }
    }
}
