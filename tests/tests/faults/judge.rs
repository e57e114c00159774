//! What was told, held against the chain.

use solana_signature::Signature;

use crate::{
    deed::{Deed, Scene},
    schedule::Schedule,
    world::World,
};

/// What one run told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It was done, in these transactions.
    Done(Vec<Signature>),
    /// It was done before, in this one.
    Repeated(Signature),
    Failed(Signature),
    Expired(Signature),
    /// Perhaps, perhaps not.
    Unknown,
    /// Somebody else does it.
    Busy,
    /// Nothing was sent, for this reason.
    NotSent(String),
    Killed,
    /// It never ended.
    Hung,
}

impl Told {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Done(_) => "done",
            Self::Repeated(_) => "done before",
            Self::Failed(_) => "failed",
            Self::Expired(_) => "expired",
            Self::Unknown => "unknown",
            Self::Busy => "another process",
            Self::NotSent(_) => "not sent",
            Self::Killed => "killed",
            Self::Hung => "no end",
        }
    }

    pub fn is_done(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Repeated(_))
    }

    /// Whether it says that there is no effect, and never will be.
    pub fn is_void(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Expired(_))
    }
}

/// How a promise was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Broken {
    /// Something false was said.
    Wrong,
    /// It was done more than once.
    Twice,
    /// There was no verdict, or no end.
    NoVerdict,
    /// A secret was shown.
    Leak,
}

/// Judges one schedule.
#[derive(Debug)]
pub struct Judge {
    /// Whether nothing was signed that nobody has seen the end of.
    clean: bool,
    /// What was told that has not been judged for good: a transaction that has expired must not be executed later either.
    void: Vec<Signature>,
    /// The last round's verdicts.
    last: Vec<Told>,
    voids: u64,
    pub is_well: bool,
    strict: bool,
    /// The only node has said that it is of another cluster, where nothing is known of what was begun here.
    elsewhere: bool,
    pub broken: Vec<(Broken, String)>,
    /// What the only node brought about by lying: the verdict has said that it rests on that one's word.
    pub excused: Vec<Broken>,
}

impl Judge {
    pub fn new(schedule: &Schedule) -> Self {
        let strict = schedule.is_strict();
        let elsewhere = !strict && schedule.lies_about_the_cluster();
        let (void, last, broken, excused) = Default::default();
        Self { clean: true, void, last, voids: 0, is_well: false, strict, elsewhere, broken, excused }
    }

    pub fn breaks(&mut self, what: Broken, why: String) {
        self.broken.push((what, why));
    }

    /// The same, unless the only node lies.
    fn breaks_unless_excused(&mut self, what: Broken, why: String) {
        match self.strict {
            true => self.breaks(what, why),
            false => self.excused.push(what),
        }
    }

    /// From here on the nodes are well.
    pub fn are_well(&mut self) {
        self.is_well = true;
    }

    /// Takes in what the runs of one round told.
    pub async fn hear(&mut self, world: &World, scene: &Scene, told: &[Told]) {
        for one in told {
            match one {
                Told::Done(signatures) => {
                    for signature in signatures {
                        self.succeeded(world, signature, one).await;
                    }
                }
                Told::Repeated(signature) => self.succeeded(world, signature, one).await,
                Told::Failed(signature) => {
                    self.voids += 1;
                    let status = world.status(signature).await;
                    if status.as_ref().is_none_or(|status| status.error.is_none()) {
                        self.breaks_unless_excused(
                            Broken::Wrong,
                            format!("{signature} is said to have failed: {status:?}"),
                        );
                    }
                }
                Told::Expired(signature) => {
                    self.voids += 1;
                    self.void.push(*signature);
                    let status = world.status(signature).await;
                    if status.is_some() {
                        self.breaks_unless_excused(
                            Broken::Wrong,
                            format!("{signature} is said to have expired: {status:?}"),
                        );
                    }
                }
                Told::NotSent(reason) if self.clean && told.len() == 1 => {
                    let effects = scene.effects(world).await;
                    if effects > 0 {
                        self.breaks_unless_excused(
                            Broken::Wrong,
                            format!("nothing is said to be sent, and it was done: {reason}"),
                        );
                    }
                }
                Told::NotSent(_) => {}
                Told::Hung => self.breaks(Broken::NoVerdict, "it does not end".to_owned()),
                Told::Unknown | Told::Busy | Told::Killed => self.clean = false,
            }
        }
        self.clean &= told.len() == 1;
        self.last = told.to_vec();
    }

    async fn succeeded(&mut self, world: &World, signature: &Signature, told: &Told) {
        let status = world.status(signature).await;
        if status.as_ref().is_none_or(|status| status.error.is_some()) {
            self.breaks_unless_excused(Broken::Wrong, format!("{signature} is said to be {}: {status:?}", told.name()));
        }
    }

    /// After every block hash has expired.
    pub async fn end(&mut self, world: &World, scene: &Scene) {
        let effects = scene.effects(world).await;
        if effects > 1 {
            let why = format!("it was done {effects} times");
            // Who was told that it is void, by the word of the only node, does it again.
            match effects > 1 + self.voids && !self.elsewhere {
                true => self.breaks(Broken::Twice, why),
                false => self.breaks_unless_excused(Broken::Twice, why),
            }
        }
        for signature in std::mem::take(&mut self.void) {
            let status = world.status(&signature).await;
            if status.is_some() {
                self.breaks_unless_excused(
                    Broken::Wrong,
                    format!("{signature} had expired, and was executed after that: {status:?}"),
                );
            }
        }
        let last = self.last.clone();
        let is_refused = |told: &Told| matches!(told, Told::NotSent(_));
        let has = effects > 0;
        if last.iter().any(Told::is_done) {
            if !has {
                self.breaks_unless_excused(Broken::Wrong, format!("it is said to be done, and is not: {last:?}"));
            }
        } else if last.iter().any(Told::is_void) && last.len() == 1 {
            if has && self.clean {
                self.breaks_unless_excused(Broken::Wrong, format!("it is said to be void, and was done: {last:?}"));
            }
        } else if last.iter().any(is_refused) && self.clean {
            if has {
                self.breaks_unless_excused(
                    Broken::Wrong,
                    format!("nothing is said to be sent, and it was done: {last:?}"),
                );
            }
            if self.is_well {
                self.breaks_unless_excused(
                    Broken::NoVerdict,
                    format!("nothing is sent though all nodes are well: {last:?}"),
                );
            }
        } else if self.is_well {
            let told = last.iter().any(is_refused) && has && scene.deed.is_refused_twice();
            // Of two that make an escrow each, the account of the second does not exist.
            let told = told || last.iter().any(is_refused) && has && scene.deed == Deed::CreateThenFund;
            if !told {
                self.breaks(
                    Broken::NoVerdict,
                    format!("no verdict though all nodes are well, {effects} effects: {last:?}"),
                );
            }
        }
    }
}
