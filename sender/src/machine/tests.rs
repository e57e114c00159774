//! Each rule by itself, and that without it the answer is another.

use super::*;
use crate::{Height, Intention, Lifetime, Time, testing};

/// A sender that watches one transaction: signed at slot 1,000 and height 900, good up to height 1,100.
struct Play {
    sender: Sender,
    now: Time,
    sent: Vec<Node>,
    asked: Vec<(Node, Question)>,
}

fn request(wanted: Commitment, attempts: u32) -> Request {
    Request { steps: 1, wanted, attempts, again: false }
}

fn names(nodes: usize) -> Vec<String> {
    ["a", "b", "c"].iter().take(nodes).map(|name| (*name).to_owned()).collect()
}

impl Play {
    fn begin(rules: Rules, nodes: usize, request: Request) -> Self {
        let intention = Intention::new(testing::fingerprint(1));
        let sender = Sender::under(rules, intention, request, names(nodes), Pace::default(), Time(0));
        Self { sender, now: Time(0), sent: Vec::new(), asked: Vec::new() }
    }

    fn watch(rules: Rules, nodes: usize) -> Self {
        Self::watch_for(rules, nodes, testing::attempt(1), request(Commitment::Finalized, 1))
    }

    fn watch_for(rules: Rules, nodes: usize, attempt: Attempt, request: Request) -> Self {
        let mut play = Self::begin(rules, nodes, request);
        assert_eq!(play.next(), Decision::Sign(Position::default()));
        play.hear(Observation::Signed(Ok(attempt)));
        if rules.journal_first() {
            assert!(matches!(play.next(), Decision::Record(Entry::Signed(_))));
            play.hear(Observation::Recorded(Ok(())));
        }
        play
    }

    fn hear(&mut self, observation: Observation) {
        self.sender.observe(self.now, observation);
    }

    /// The next decision that is not a message.
    fn next(&mut self) -> Decision {
        loop {
            match self.sender.next(self.now) {
                Decision::Send { nodes, .. } => self.sent.extend(nodes),
                Decision::Ask(questions) => self.asked.extend(questions),
                Decision::Note(_) => {}
                decision => return decision,
            }
        }
    }

    /// The verdict, if there is one.
    fn verdict(&mut self) -> Option<Verdict> {
        match self.next() {
            Decision::Record(Entry::Judged(judged)) => Some(judged.verdict),
            Decision::Wait(until) => {
                assert!(until > self.now, "a wait that does not wait");
                None
            }
            other => panic!("{other:?}"),
        }
    }

    fn is_expired(&mut self) -> bool {
        match self.verdict() {
            None => false,
            Some(Verdict::Expired { .. }) => true,
            Some(other) => panic!("{other}"),
        }
    }

    fn height_at(&mut self, node: usize, commitment: Commitment, slot: u64, height: u64) {
        let reading = Reading { slot: Slot(slot), height: Height(height) };
        self.hear(Observation::Height { node: Node(node), commitment, reading, asked: self.now });
    }

    fn height(&mut self, node: usize, slot: u64, height: u64) {
        self.height_at(node, Commitment::Finalized, slot, height);
    }

    fn status(&mut self, node: usize, bank: u64, status: Option<(u64, Commitment, Option<&str>)>) {
        let status = status.map(|(slot, commitment, error)| Status {
            slot: Slot(slot),
            commitment,
            error: error.map(str::to_owned),
        });
        let signature = Signature([1; 64]);
        self.hear(Observation::Status { node: Node(node), signature, bank: Slot(bank), status });
    }

    fn first_block(&mut self, node: usize, slot: u64) {
        self.hear(Observation::FirstBlock { node: Node(node), slot: Slot(slot) });
    }

    fn effect(&mut self, node: usize, bank: u64, effect: Effect) {
        let signature = Signature([1; 64]);
        self.hear(Observation::Effect { node: Node(node), signature, bank: Slot(bank), effect });
    }

    /// All that is needed from a node for "expired", but the heights.
    fn knows_nothing(&mut self, node: usize) {
        self.first_block(node, 1_000);
        self.effect(node, 1_300, Effect::Absent);
        self.status(node, 1_332, None);
    }

    /// All of it.
    fn over(&mut self, node: usize) {
        self.height(node, 1_300, 1_101);
        self.height(node, 1_301, 1_102);
        self.knows_nothing(node);
    }
}

/// A play in which one rule alone stands against "expired".
fn stands_against_expired(rule: Rule, nodes: usize, scene: impl Fn(&mut Play)) {
    for (rules, expired) in [(Rules::ALL, false), (Rules::without(rule), true)] {
        let mut play = Play::watch(rules, nodes);
        scene(&mut play);
        assert_eq!(play.is_expired(), expired, "{rule:?}, {rules:?}");
    }
}

#[test]
fn what_can_never_be_executed_is_expired() {
    let mut play = Play::watch(Rules::ALL, 1);
    play.over(0);
    let basis = Basis { nodes: names(1), account: true, others: Vec::new() };
    assert_eq!(play.verdict(), Some(Verdict::Expired { basis }));
}

#[test]
fn nothing_is_sent_before_it_is_recorded() {
    for (rules, sends) in [(Rules::ALL, false), (Rules::without(Rule::JournalFirst), true)] {
        let mut play = Play::begin(rules, 1, request(Commitment::Finalized, 1));
        play.next();
        play.hear(Observation::Signed(Ok(testing::attempt(1))));
        play.height(0, 1_000, 900);
        let next = play.next();
        assert_eq!(matches!(next, Decision::Wait(_)), sends, "{next:?}");
        play.height(0, 1_000, 900);
        play.next();
        assert_eq!(!play.sent.is_empty(), sends);
    }
}

#[test]
fn what_the_journal_does_not_take_is_not_sent() {
    let mut play = Play::begin(Rules::ALL, 1, request(Commitment::Finalized, 1));
    play.hear(Observation::Signed(Ok(testing::attempt(1))));
    play.hear(Observation::Recorded(Err("the disk is full".to_owned())));
    let reason = NotSent::Journal("the disk is full".to_owned());
    assert_eq!(play.next(), Decision::Done(Ended::NotSent(reason)));
    assert!(play.sent.is_empty());
}

#[test]
fn a_height_that_is_not_final_ends_no_lifetime() {
    let scene = |play: &mut Play| {
        play.height(0, 1_000, 900);
        play.height_at(0, Commitment::Processed, 1_300, 1_101);
        play.height_at(0, Commitment::Processed, 1_301, 1_102);
        play.knows_nothing(0);
    };
    stands_against_expired(Rule::Finalized, 1, scene);
}

#[test]
fn the_last_valid_height_itself_is_not_past() {
    let scene = |play: &mut Play| {
        play.height(0, 1_298, 1_099);
        play.height(0, 1_299, 1_100);
        play.knows_nothing(0);
    };
    stands_against_expired(Rule::PastLastValid, 1, scene);
}

#[test]
fn a_newer_word_withdraws_an_older_one() {
    let scene = |play: &mut Play| {
        play.height(0, 1_300, 1_101);
        play.height(0, 1_295, 1_090);
        play.height(0, 1_301, 1_102);
        play.knows_nothing(0);
    };
    stands_against_expired(Rule::Newest, 1, scene);
}

#[test]
fn one_word_is_not_enough_nor_the_same_bank_twice() {
    let scene = |play: &mut Play| {
        play.height(0, 1_300, 1_101);
        play.height(0, 1_300, 1_101);
        play.knows_nothing(0);
    };
    stands_against_expired(Rule::SaidTwice, 1, scene);
}

#[test]
fn a_height_for_which_there_were_not_enough_slots_is_not_believed() {
    for (slot, height) in [(1_200, 1_101), (1_000, 1_101)] {
        let scene = |play: &mut Play| {
            play.height(0, 1_000, 900);
            play.height(0, slot, height);
            play.height(0, slot + 1, height + 1);
            play.knows_nothing(0);
        };
        stands_against_expired(Rule::Plausible, 1, scene);
    }
}

#[test]
fn a_bank_before_the_end_or_on_a_fork_of_that_length_has_not_seen_it() {
    for (rule, bank) in [(Rule::BankPast, 1_299), (Rule::BeyondForks, 1_331)] {
        let scene = |play: &mut Play| {
            play.over(0);
            play.status(0, bank, None);
        };
        stands_against_expired(rule, 1, scene);
    }
}

#[test]
fn a_history_that_begins_after_the_signing_says_nothing() {
    let scene = |play: &mut Play| {
        play.over(0);
        play.first_block(0, 1_001);
    };
    stands_against_expired(Rule::History, 1, scene);
}

#[test]
fn what_has_a_status_is_not_expired() {
    for commitment in [Commitment::Processed, Commitment::Confirmed] {
        let scene = |play: &mut Play| {
            play.over(0);
            play.status(0, 1_332, Some((1_299, commitment, None)));
        };
        stands_against_expired(Rule::KnownIsNotExpired, 1, scene);
    }
}

#[test]
fn the_account_must_agree_and_be_read_after_the_end() {
    for (bank, effect) in [(1_300, Effect::Present), (1_299, Effect::Absent)] {
        let scene = |play: &mut Play| {
            play.over(0);
            play.effect(0, bank, effect);
        };
        stands_against_expired(Rule::Account, 1, scene);
    }
}

#[test]
fn two_must_agree_where_there_are_two() {
    stands_against_expired(Rule::Agreement, 2, |play| {
        play.over(0);
        play.now = Time(Pace::default().patience);
        play.next();
        play.now = Time(2 * Pace::default().patience);
    });
    let mut play = Play::watch(Rules::ALL, 2);
    for (node, slot) in [(0, 1_010), (1, 1_011)] {
        play.height(node, 1_050, 940);
        play.status(node, 1_060, Some((slot, Commitment::Finalized, None)));
    }
    assert_eq!(play.verdict(), None, "they differ about the slot");
    play.status(1, 1_061, Some((1_010, Commitment::Finalized, None)));
    let basis = Basis { nodes: names(2), account: false, others: Vec::new() };
    let succeeded = Verdict::Succeeded { slot: Slot(1_010), commitment: Commitment::Finalized, basis };
    assert_eq!(play.verdict(), Some(succeeded));
}

#[test]
fn the_others_have_time_to_differ_and_are_named() {
    let scene = |play: &mut Play| {
        play.over(0);
        play.over(1);
        play.height(2, 1_301, 1_102);
        play.status(2, 1_340, Some((1_299, Commitment::Confirmed, None)));
    };
    stands_against_expired(Rule::EveryNode, 3, scene);
    let mut play = Play::watch(Rules::ALL, 3);
    scene(&mut play);
    assert_eq!(play.next(), Decision::Wait(Time(400)));
    play.now = Time(Pace::default().patience);
    let Some(Verdict::Expired { basis }) = play.verdict() else { panic!("they had their time") };
    assert_eq!(basis.nodes, names(2));
    assert!(matches!(basis.others.as_slice(), [(name, Standing::Known(_))] if name == "c"), "{basis}");
}

#[test]
fn processed_is_never_an_outcome_and_failure_only_when_it_is_final() {
    use Commitment::{Confirmed, Finalized, Processed};
    let outcome = |rules, wanted, commitment, error| {
        let mut play = Play::watch_for(rules, 1, testing::attempt(1), request(wanted, 1));
        play.height(0, 1_050, 940);
        play.status(0, 1_060, Some((1_010, commitment, error)));
        play.verdict().is_some()
    };
    assert!(!outcome(Rules::ALL, Processed, Processed, None));
    assert!(outcome(Rules::without(Rule::ProcessedIsNothing), Processed, Processed, None));
    assert!(outcome(Rules::ALL, Processed, Confirmed, None));
    assert!(!outcome(Rules::ALL, Finalized, Confirmed, None));
    assert!(!outcome(Rules::ALL, Confirmed, Confirmed, Some("custom 1")));
    assert!(outcome(Rules::without(Rule::FailureIsFinal), Confirmed, Confirmed, Some("custom 1")));
    assert!(outcome(Rules::ALL, Confirmed, Finalized, Some("custom 1")));
}

#[test]
fn another_ledger_gets_nothing_and_is_not_believed() {
    for (rules, other) in [(Rules::ALL, true), (Rules::without(Rule::SameLedger), false)] {
        let mut play = Play::watch(rules, 1);
        play.height(0, 999, 899);
        play.status(0, 999, Some((998, Commitment::Finalized, None)));
        play.next();
        assert_eq!(play.verdict().is_none(), other);
    }
    let mut play = Play::watch(Rules::ALL, 1);
    play.over(0);
    play.height(0, 10, 10);
    assert_eq!(play.verdict(), None, "what it said before is of another ledger too");
    assert!(play.sent.is_empty());
}

#[test]
fn an_error_in_answer_to_a_send_means_go_and_look() {
    let error = || Observation::Sent { node: Node(0), signature: Signature([1; 64]), error: Some("-32002".to_owned()) };
    stands_against_expired(Rule::GoAndLook, 1, |play| play.hear(error()));
    let mut play = Play::watch(Rules::ALL, 1);
    play.next();
    play.asked.clear();
    play.hear(error());
    play.next();
    assert!(play.asked.contains(&(Node(0), Question::Status(Signature([1; 64])))), "{:?}", play.asked);
}

#[test]
fn a_nonce_ends_a_lifetime_by_a_value_that_was_read_later() {
    let lifetime = Lifetime::Nonce { account: Address([4; 32]), value: Hash([1; 32]), read_at: Slot(1_000) };
    let bytes = testing::bytes([1; 64], Hash([1; 32]));
    let expired = |rules, banks: [u64; 2], value: Option<u8>| {
        let attempt = Attempt::new(&bytes, lifetime, testing::origin(), true).unwrap();
        let mut play = Play::watch_for(rules, 1, attempt, request(Commitment::Finalized, 1));
        play.height(0, 1_300, 1_101);
        for bank in banks {
            let value = value.map(|byte| Hash([byte; 32]));
            play.hear(Observation::Nonce { node: Node(0), account: Address([4; 32]), bank: Slot(bank), value });
        }
        play.knows_nothing(0);
        play.is_expired()
    };
    assert!(expired(Rules::ALL, [1_000, 1_001], Some(2)));
    assert!(expired(Rules::ALL, [1_000, 1_001], None), "the account is gone");
    assert!(!expired(Rules::ALL, [1_000, 1_001], Some(1)), "heights end no nonce");
    assert!(!expired(Rules::ALL, [998, 999], Some(2)));
    assert!(expired(Rules::without(Rule::NonceSince), [998, 999], Some(2)));
}

#[test]
fn it_is_sent_to_every_node_on_the_ledger_until_two_know_it() {
    let mut play = Play::watch(Rules::ALL, 3);
    play.next();
    assert!(play.sent.is_empty(), "nobody has shown its ledger");
    play.height(0, 1_000, 900);
    play.height(1, 1_001, 901);
    play.next();
    assert_eq!(play.sent, [Node(0), Node(1)]);
    let again = |play: &mut Play, at: u64| {
        play.sent.clear();
        play.now = Time(at);
        (0..3).for_each(|node| play.height(node, 1_010, 905));
        play.next();
        play.sent.clone()
    };
    play.status(0, 1_009, Some((1_005, Commitment::Processed, None)));
    assert_eq!(again(&mut play, 2_000), [Node(1), Node(2)], "one that says that it knows it may lie");
    play.status(1, 1_009, Some((1_005, Commitment::Processed, None)));
    assert_eq!(again(&mut play, 4_000), []);
    play.status(0, 1_020, None);
    play.status(1, 1_020, None);
    assert_eq!(again(&mut play, 6_000), [Node(0), Node(1), Node(2)], "it was on a fork");
}

#[test]
fn every_wait_ends_and_tells_what_is_known() {
    let mut play = Play::watch(Rules::ALL, 2);
    play.height(0, 1_050, 940);
    play.status(0, 1_060, Some((1_010, Commitment::Confirmed, None)));
    play.now = Time(Pace::default().limit - 1);
    assert_eq!(play.verdict(), None);
    play.now = Time(Pace::default().limit);
    let Some(Verdict::Unknown { known, until, nodes }) = play.verdict() else { panic!("the time is up") };
    assert_eq!(known.map(|status| status.slot), Some(Slot(1_010)));
    assert_eq!(until, Until::Height(Height(1_100)));
    assert!(matches!(nodes.as_slice(), [(_, Standing::Known(_)), (_, Standing::Silent(None))]), "{nodes:?}");
}

#[test]
fn only_what_expired_is_signed_again_by_itself() {
    let play = |error: Option<&str>| {
        let mut play = Play::watch_for(Rules::ALL, 1, testing::attempt(1), request(Commitment::Finalized, 2));
        match error {
            None => play.over(0),
            error => {
                play.height(0, 1_050, 940);
                play.status(0, 1_060, Some((1_010, Commitment::Finalized, error)));
            }
        }
        assert!(play.verdict().is_some());
        play.hear(Observation::Recorded(Ok(())));
        play.next()
    };
    assert_eq!(play(None), Decision::Sign(Position { attempt: 1, ..Position::default() }));
    let failed = play(Some("custom 1"));
    assert!(matches!(failed, Decision::Done(Ended::Verdict { unwritten: None, .. })), "{failed:?}");
}

#[test]
fn a_verdict_that_can_not_be_written_is_told_and_nothing_is_signed_again() {
    let mut play = Play::watch_for(Rules::ALL, 1, testing::attempt(1), request(Commitment::Finalized, 2));
    play.over(0);
    assert!(play.is_expired());
    play.hear(Observation::Recorded(Err("the disk is full".to_owned())));
    let Decision::Done(Ended::Verdict { unwritten, .. }) = play.next() else { panic!("not the end") };
    assert_eq!(unwritten.as_deref(), Some("the disk is full"));
}

#[test]
fn what_the_journal_holds_is_taken_up_and_a_node_that_is_not_given_again_is_missed() {
    let mut intention = Intention::new(testing::fingerprint(1));
    let mut signed = testing::signed(1, Position::default());
    signed.nodes = names(2);
    intention.apply(Entry::Signed(signed)).unwrap();
    let resumed = |rules| {
        let intention = intention.clone();
        let request = request(Commitment::Finalized, 1);
        let sender = Sender::under(rules, intention, request, names(1), Pace::default(), Time(0));
        Play { sender, now: Time(0), sent: Vec::new(), asked: Vec::new() }
    };
    let next = Position { attempt: 1, ..Position::default() };
    assert_eq!(resumed(Rules::without(Rule::OnlyExpired)).next(), Decision::Sign(next));
    let mut play = resumed(Rules::ALL);
    play.over(0);
    assert_eq!(play.verdict(), None, "the one that is not given was asked at signing");
    play.now = Time(Pace::default().patience);
    let Some(Verdict::Expired { basis }) = play.verdict() else { panic!("it had its time") };
    assert_eq!(basis.others, [("b".to_owned(), Standing::Absent)]);
}

#[test]
fn the_same_soon_after_it_succeeded_is_a_repetition() {
    let mut intention = Intention::new(testing::fingerprint(1));
    intention.apply(Entry::Signed(testing::signed(1, Position::default()))).unwrap();
    let basis = Basis { nodes: names(1), account: false, others: Vec::new() };
    let verdict = Verdict::Succeeded { slot: Slot(1_010), commitment: Commitment::Finalized, basis };
    intention.apply(Entry::Judged(crate::Judged { position: Position::default(), verdict, at: Time(0) })).unwrap();
    let recent = Pace::default().recent;
    let next = |rules, at, again| {
        let request = Request { again, ..request(Commitment::Finalized, 1) };
        Sender::under(rules, intention.clone(), request, names(1), Pace::default(), Time(at)).next(Time(at))
    };
    let second = Decision::Sign(Position { run: 1, ..Position::default() });
    assert!(
        matches!(next(Rules::ALL, recent - 1, false), Decision::Done(Ended::Repetition { signature, .. }) if signature == Signature([1; 64]))
    );
    assert_eq!(next(Rules::ALL, recent, false), second);
    assert_eq!(next(Rules::ALL, 0, true), second);
    assert_eq!(next(Rules::without(Rule::Recent), 0, false), second);
}

#[test]
fn what_comes_late_or_of_another_transaction_does_no_harm() {
    let mut play = Play::watch(Rules::ALL, 1);
    play.over(0);
    assert!(play.is_expired());
    let before = play.next();
    play.status(0, 1_400, Some((1_299, Commitment::Finalized, None)));
    play.hear(Observation::Signed(Ok(testing::attempt(2))));
    play.height(7, 1, 1);
    assert_eq!(play.next(), before);
    let mut play = Play::watch(Rules::ALL, 1);
    play.height(0, 1_050, 940);
    let status = Some(Status { slot: Slot(1_010), commitment: Commitment::Finalized, error: None });
    play.hear(Observation::Status { node: Node(0), signature: Signature([2; 64]), bank: Slot(1_060), status });
    assert_eq!(play.verdict(), None);
}
