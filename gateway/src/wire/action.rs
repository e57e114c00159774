//! Actions, as they are written in requests.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

use super::{Address, Hash, Units, terms::Terms};
use crate::problem::{Problem, Result};

/// Something to be done: one action of the program, or a recipe of several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "there are few of them, and each is read once")]
pub enum Action {
    /// Make the escrow with these terms.
    Create(Create),
    /// Pay the whole principal in (buyer).
    Fund(Fund),
    /// Give up an unfunded escrow (buyer, seller or rent payer; after its funding deadline anyone), or take the money back in
    /// the cooling-off period (buyer).
    Cancel(By),
    /// Mark a milestone as delivered (seller, or the attester).
    Deliver(Deliver),
    /// Deliver the last work together with the retention behind it (seller, or the attester).
    DeliverWithRetention(Evidence),
    /// Claim a hash-locked milestone for the seller (anyone with the secret).
    Claim(Claim),
    /// Release part or all of a milestone to the seller (buyer).
    Release(Part),
    /// Refund part or all of a milestone to the buyer (seller).
    Refund(Part),
    /// Dispute a delivered milestone (buyer).
    Dispute(Dispute),
    /// Rule on a disputed milestone (arbiter).
    Rule(Rule),
    /// Propose how to settle a milestone (buyer or seller).
    ProposeSplit(ProposeSplit),
    /// Propose a later deadline (buyer or seller).
    ProposeExtension(ProposeExtension),
    /// Take one's own open proposal back (buyer or seller).
    WithdrawProposal(By),
    /// Accept the other party's open proposal (buyer or seller).
    Accept(Accept),
    /// Apply the agreed default where a deadline has passed (anyone).
    Expire(MilestoneOf),
    /// Pay out what is due to one (anyone).
    Withdraw(Withdraw),
    /// Close a settled escrow; the rent goes back to who paid it (anyone).
    Close(Of),
    /// Pay out all that is due (anyone).
    PayOut(Of),
    /// Everything that anyone may do to bring the escrow to its end: apply defaults, pay out, close.
    Finish(Of),
}

/// The escrow that is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// The terms.
    pub terms: Terms,
    /// Who pays the rent, and gets it back; the fee payer if it is left out.
    #[serde(default)]
    pub rent_payer: Option<Address>,
    /// The buyer pays in at once.
    #[serde(default)]
    pub fund: bool,
}

/// An escrow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Of {
    /// Its address.
    pub escrow: Address,
}

/// An escrow, and who acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct By {
    /// Its address.
    pub escrow: Address,
    /// Who signs for it.
    pub by: Address,
}

/// Paying in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Fund {
    /// The escrow.
    pub escrow: Address,
    /// The terms that the buyer agreed to: their hash. Anything else is refused.
    #[serde(default)]
    pub terms_hash: Option<Hash>,
    /// The buyer's token account that pays; the associated one if it is left out.
    #[serde(default)]
    pub token_account: Option<Address>,
}

/// A milestone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MilestoneOf {
    /// The escrow.
    pub escrow: Address,
    /// The milestone, counted from 1.
    #[schema(minimum = 1, maximum = 8)]
    pub milestone: u8,
}

/// A delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Deliver {
    /// The escrow.
    pub escrow: Address,
    /// The milestone, counted from 1.
    #[schema(minimum = 1, maximum = 8)]
    pub milestone: u8,
    /// sha256 of the evidence.
    #[serde(default)]
    pub evidence_hash: Option<Hash>,
}

/// A delivery of the last work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The escrow.
    pub escrow: Address,
    /// sha256 of the evidence.
    #[serde(default)]
    pub evidence_hash: Option<Hash>,
}

/// A claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The escrow.
    pub escrow: Address,
    /// The milestone, counted from 1.
    #[schema(minimum = 1, maximum = 8)]
    pub milestone: u8,
    /// The secret. It is public once the transaction is sent.
    pub secret: Hash,
}

/// A part of a milestone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// The escrow.
    pub escrow: Address,
    /// The milestone, counted from 1.
    #[schema(minimum = 1, maximum = 8)]
    pub milestone: u8,
    /// How much; all that remains if it is left out.
    #[serde(default)]
    pub amount: Option<Units>,
    /// What must remain of the milestone before it; what remains now if it is left out. It keeps a repetition from paying
    /// twice.
    #[serde(default)]
    pub expected_remaining: Option<Units>,
}

/// A dispute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Dispute {
    /// The escrow.
    pub escrow: Address,
    /// The milestone, counted from 1.
    #[schema(minimum = 1, maximum = 8)]
    pub milestone: u8,
    /// sha256 of the reason.
    #[serde(default)]
    pub reason_hash: Option<Hash>,
}

/// A ruling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The escrow.
    pub escrow: Address,
    /// The milestone, counted from 1.
    #[schema(minimum = 1, maximum = 8)]
    pub milestone: u8,
    /// The seller's share, in basis points.
    #[schema(maximum = 10000)]
    pub seller_bps: u16,
    /// sha256 of the rationale.
    #[serde(default)]
    pub rationale_hash: Option<Hash>,
}

/// A settlement that is proposed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposeSplit {
    /// The escrow.
    pub escrow: Address,
    /// Who proposes it.
    pub by: Address,
    /// The milestone, counted from 1.
    #[schema(minimum = 1, maximum = 8)]
    pub milestone: u8,
    /// The seller's part of what remains, before the fee.
    pub to_seller: Units,
    /// Until when the other party may accept, in unix seconds.
    pub expires_at: i64,
}

/// A later deadline that is proposed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposeExtension {
    /// The escrow.
    pub escrow: Address,
    /// Who proposes it.
    pub by: Address,
    /// The milestone, counted from 1.
    #[schema(minimum = 1, maximum = 8)]
    pub milestone: u8,
    /// The new deadline, in unix seconds.
    pub deadline: i64,
    /// Until when the other party may accept, in unix seconds.
    pub expires_at: i64,
}

/// Accepting a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Accept {
    /// The escrow.
    pub escrow: Address,
    /// Who accepts.
    pub by: Address,
    /// Only if the proposal gives the seller exactly this much, before the fee.
    #[serde(default)]
    pub to_seller: Option<Units>,
    /// Only if the proposal moves the deadline to exactly this time, in unix seconds.
    #[serde(default)]
    pub deadline: Option<i64>,
}

/// A payment to one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Withdraw {
    /// The escrow.
    pub escrow: Address,
    /// To whom.
    pub recipient: Recipient,
    /// Another token account, with the recipient's signature; the associated one if it is left out.
    #[serde(default)]
    pub token_account: Option<Address>,
}

/// Who is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is what it is called")]
pub enum Recipient {
    Buyer,
    Seller,
    FeeRecipient,
    Arbiter,
}

impl From<Recipient> for escrow_client::Recipient {
    fn from(recipient: Recipient) -> Self {
        match recipient {
            Recipient::Buyer => Self::Buyer,
            Recipient::Seller => Self::Seller,
            Recipient::FeeRecipient => Self::Fee,
            Recipient::Arbiter => Self::Arbiter,
        }
    }
}

impl Action {
    /// Reads one. By hand, because a derived reader forgets where in the request it was.
    ///
    /// # Errors
    ///
    /// What is wrong, with its place.
    pub fn read(value: serde_json::Value, pointer: &str) -> Result<Self> {
        let serde_json::Value::Object(mut fields) = value else {
            return Err(Problem::invalid(pointer, "write an object with a type"));
        };
        let kind = match fields.remove("type") {
            Some(serde_json::Value::String(kind)) => kind,
            Some(_) => return Err(Problem::invalid(format!("{pointer}/type"), "write a text, as in \"create\"")),
            None => return Err(Problem::invalid(format!("{pointer}/type"), "is missing")),
        };
        let rest = serde_json::Value::Object(fields);
        Ok(match kind.as_str() {
            "create" => Self::Create(read(rest, pointer)?),
            "fund" => Self::Fund(read(rest, pointer)?),
            "cancel" => Self::Cancel(read(rest, pointer)?),
            "deliver" => Self::Deliver(read(rest, pointer)?),
            "deliver_with_retention" => Self::DeliverWithRetention(read(rest, pointer)?),
            "claim" => Self::Claim(read(rest, pointer)?),
            "release" => Self::Release(read(rest, pointer)?),
            "refund" => Self::Refund(read(rest, pointer)?),
            "dispute" => Self::Dispute(read(rest, pointer)?),
            "rule" => Self::Rule(read(rest, pointer)?),
            "propose_split" => Self::ProposeSplit(read(rest, pointer)?),
            "propose_extension" => Self::ProposeExtension(read(rest, pointer)?),
            "withdraw_proposal" => Self::WithdrawProposal(read(rest, pointer)?),
            "accept" => Self::Accept(read(rest, pointer)?),
            "expire" => Self::Expire(read(rest, pointer)?),
            "withdraw" => Self::Withdraw(read(rest, pointer)?),
            "close" => Self::Close(read(rest, pointer)?),
            "pay_out" => Self::PayOut(read(rest, pointer)?),
            "finish" => Self::Finish(read(rest, pointer)?),
            _ => {
                let detail = "there is no such action: see the schema Action in /openapi.json";
                return Err(Problem::invalid(format!("{pointer}/type"), detail));
            }
        })
    }

    /// The address of the escrow that it is about; none for one that it makes.
    pub fn escrow(&self) -> Option<Address> {
        match self {
            Self::Create(_) => None,
            Self::Fund(Fund { escrow, .. })
            | Self::Cancel(By { escrow, .. })
            | Self::WithdrawProposal(By { escrow, .. })
            | Self::Deliver(Deliver { escrow, .. })
            | Self::DeliverWithRetention(Evidence { escrow, .. })
            | Self::Claim(Claim { escrow, .. })
            | Self::Release(Part { escrow, .. })
            | Self::Refund(Part { escrow, .. })
            | Self::Dispute(Dispute { escrow, .. })
            | Self::Rule(Rule { escrow, .. })
            | Self::ProposeSplit(ProposeSplit { escrow, .. })
            | Self::ProposeExtension(ProposeExtension { escrow, .. })
            | Self::Accept(Accept { escrow, .. })
            | Self::Expire(MilestoneOf { escrow, .. })
            | Self::Withdraw(Withdraw { escrow, .. })
            | Self::Close(Of { escrow })
            | Self::PayOut(Of { escrow })
            | Self::Finish(Of { escrow }) => Some(*escrow),
        }
    }
}

/// Reads a value of the request that stands at `pointer`.
///
/// # Errors
///
/// What is wrong, with its place.
pub fn read<T: DeserializeOwned>(value: serde_json::Value, pointer: &str) -> Result<T> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let place = format!("{pointer}{}", pointer_of(error.path()));
        Problem::invalid(place, error.inner().to_string())
    })
}

/// A path into a value, as a JSON pointer.
pub fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut pointer = String::new();
    for segment in path {
        let part = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.replace('~', "~0").replace('/', "~1"),
            Segment::Enum { variant } => variant.clone(),
            Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&part);
    }
    pointer
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ESCROW: &str = "So11111111111111111111111111111111111111112";

    #[test]
    fn every_action_is_read_by_the_name_under_which_the_document_has_it() {
        let document = serde_json::to_value(<Action as utoipa::PartialSchema>::schema()).unwrap();
        let kinds: Vec<String> = document["oneOf"].as_array().unwrap().iter().map(kind).collect();
        assert_eq!(kinds.len(), 19, "{document}");
        for kind in kinds {
            // What is missing is told; a name that is unknown would be told first.
            let problem = Action::read(json!({"type": kind}), "/actions/0").unwrap_err();
            assert!(!problem.errors[0].pointer.ends_with("/type"), "{kind}: {problem:?}");
        }
    }

    fn kind(variant: &serde_json::Value) -> String {
        let properties = variant["allOf"].as_array().into_iter().flatten().chain([variant]);
        let kind = properties.filter_map(|part| part["properties"]["type"]["enum"][0].as_str()).next();
        kind.unwrap_or_else(|| panic!("{variant}")).to_owned()
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (value, place) in [
            (json!(1), "/actions/0"),
            (json!({}), "/actions/0/type"),
            (json!({"type": 1}), "/actions/0/type"),
            (json!({"type": "steal"}), "/actions/0/type"),
            (json!({"type": "fund"}), "/actions/0"),
            (json!({"type": "fund", "escrow": 7}), "/actions/0/escrow"),
            (json!({"type": "fund", "escrow": "x"}), "/actions/0/escrow"),
            (json!({"type": "fund", "escrow": ESCROW, "extra": 1}), "/actions/0/extra"),
            (json!({"type": "release", "escrow": ESCROW, "milestone": 1, "amount": 5}), "/actions/0/amount"),
            (json!({"type": "release", "escrow": ESCROW, "milestone": 300}), "/actions/0/milestone"),
            (
                json!({"type": "create", "terms": {"buyer": ESCROW, "seller": ESCROW, "milestones": [{"amount": "1"}]}}),
                "/actions/0/terms/milestones/0",
            ),
        ] {
            let problem = Action::read(value.clone(), "/actions/0").unwrap_err();
            assert_eq!(problem.errors[0].pointer, place, "{value}: {}", problem.detail);
        }
    }
}
