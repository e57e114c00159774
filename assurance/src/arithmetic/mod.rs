//! The arithmetic, for every input: what the program adds, multiplies and divides is written down for a solver
//! (`*.smt2`, next to this file), which proves claims about it. That this is what the program does is shown twice: the
//! text of each function is pinned next to its mirror, and the functions themselves are compared with the exact result
//! in 128 bits, on inputs at the edges and on random ones.

mod mirror;
mod properties;
pub mod solver;

use anyhow::{Result, ensure};

use crate::{Check, Figure, Run};
use solver::{Claim, Solver};

/// See [`CHECK`].
pub const CHECK: Check = Check {
    name: "arithmetic",
    shows: "Shares, fees, counters and times are exact for every amount and every rate.",
    promises: &[6],
    run,
};

/// Set where the proofs must not be left out, as in CI.
pub const REQUIRE_SOLVER: &str = "ESCROW_REQUIRE_SOLVER";

/// The claims, with the functions that they are about.
pub const FILES: [(&str, &str); 3] = [
    ("bits.smt2", include_str!("bits.smt2")),
    ("share.smt2", include_str!("share.smt2")),
    ("ledger.smt2", include_str!("ledger.smt2")),
];

fn run(run: &Run) -> Result<Vec<Figure>> {
    let claims = FILES.iter().map(|(_, text)| solver::claims(text)).collect::<Result<Vec<_>>>()?.concat();
    let mut figures = Vec::new();
    let pinned = mirror::check()?;
    match Solver::find() {
        Ok(solver) => {
            prove(&solver, &claims, run)?;
            figures.push(Figure::new(format!("claims proven for every input by {}", solver.version()), claims.len()));
            figures.push(Figure::new("functions, types and constants pinned to the text that was proven", pinned));
        }
        Err(missing) => {
            ensure!(std::env::var_os(REQUIRE_SOLVER).is_none(), "{missing}");
            eprintln!("SKIPPED: the proofs of {} claims. {missing}", claims.len());
            figures.push(Figure::new("claims proven: SKIPPED, there is no solver", 0));
        }
    }
    figures.extend(properties::check(run)?);
    Ok(figures)
}

fn prove(solver: &Solver, claims: &[Claim], run: &Run) -> Result<()> {
    for (done, claim) in (0..).zip(claims) {
        solver.prove(claim)?;
        (run.progress)(done + 1, claims.len() as u64);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If this were "proven", nothing would be.
    #[test]
    fn a_false_claim_is_refuted_with_an_example() {
        let (_, share) = FILES[1];
        let (definitions, _) = share.split_once("; CLAIM ").expect("claims");
        let text = format!(
            "{definitions}\
             ; CLAIM the fees of two releases add up to the fee of one\n\
             (push)\n\
             (declare-const first Int)\n(declare-const second Int)\n(declare-const bps Int)\n\
             (declare-const fee-first Int)\n(declare-const fee-second Int)\n(declare-const fee-one Int)\n\
             (assert (and (is-u64 first) (is-u64 second) (is-bps bps)))\n\
             (assert (and (is-share first bps fee-first) (is-share second bps fee-second)))\n\
             (assert (is-share (+ first second) bps fee-one))\n\
             ; THEREFORE\n\
             (assert (not (= fee-one (+ fee-first fee-second))))\n\
             (check-sat)\n\
             (pop)\n"
        );
        let claims = solver::claims(&text).expect("a claim");
        let Ok(solver) = Solver::find() else {
            eprintln!("SKIPPED: there is no solver");
            return;
        };
        let error = solver.prove(&claims[0]).expect_err("it is false").to_string();
        assert!(error.contains("does not hold") && error.contains("fee-one"), "{error}");
    }

    /// Each of these is a mistake that the code could have. If the claims still held, they would not be about it.
    #[test]
    fn a_wrong_mirror_is_refuted() {
        let Ok(solver) = Solver::find() else {
            eprintln!("SKIPPED: there is no solver");
            return;
        };
        let [bits, share, ledger] = FILES.map(|(_, text)| text);
        for (text, right, wrong) in [
            // The room above a number is one less; a window of no length is refused.
            (bits, "(bvule b (bvnot a))", "(bvult b (bvnot a))"),
            (bits, "(bvsge (after start window) start)", "(bvsgt (after start window) start)"),
            (bits, "(bvsle time (after now", "(bvslt time (after now"),
            // The first branch goes one too far; the second rounds up, or forgets the rest.
            (share, "LIMIT () Int 1844674407370955", "LIMIT () Int 1844674407370956"),
            (share, "(divides second third third-rest)", "(divides (+ second 9999) third third-rest)"),
            (share, "(wraps (+ first third) result", "(wraps first result"),
            // The fee is not taken off; a ruling forgets the arbiter's fee, or takes it twice.
            (
                ledger,
                "(define-fun seller-leg ((l Ledger) (amount Int) (new-fees Int)) Int (- amount (fee-leg l new-fees)))",
                "(define-fun seller-leg ((l Ledger) (amount Int) (new-fees Int)) Int amount)",
            ),
            (
                ledger,
                "(divide (pay-arbiter l fee) (- remaining fee) to-seller new-fees))",
                "(divide l (- remaining fee) to-seller new-fees))",
            ),
            (ledger, "(+ (paid-buyer l) (due-buyer l))", "(paid-buyer l)"),
        ] {
            let mistaken = text.replacen(right, wrong, 1);
            assert_ne!(mistaken, text, "`{right}` is not there any more");
            let claims = solver::claims(&mistaken).expect("claims");
            let refuted = claims.iter().find_map(|claim| solver.prove(claim).err());
            let error = refuted.unwrap_or_else(|| panic!("proven with the mistake `{wrong}`")).to_string();
            assert!(error.contains("does not hold"), "{error}");
        }
    }

    #[test]
    fn a_claim_about_nothing_is_refused() {
        let text = "; CLAIM nothing is wrong with nothing\n(push)\n(declare-const a Int)\n(assert (< a a))\n\
                    ; THEREFORE\n(assert (not (= a 1)))\n(check-sat)\n(pop)\n";
        let claims = solver::claims(text).expect("a claim");
        let Ok(solver) = Solver::find() else {
            eprintln!("SKIPPED: there is no solver");
            return;
        };
        let error = solver.prove(&claims[0]).expect_err("it assumes what is impossible").to_string();
        assert!(error.contains("impossible"), "{error}");
    }
}
