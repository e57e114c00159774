; Every transition of the ledger, from every ledger that adds up. Amounts are integers: bits.smt2 shows that `add`
; refuses what does not fit in 64 bits and is exact else, share.smt2 that `share` is the floor. So `fits` stands here
; for an `add` that is not refused, and `is-share` for `share`.
;
; MIRRORS ledger.rs struct Ledger 9938229710b5e83a
; MIRRORS ledger.rs fn total_due 824ad8036de38aa2
; MIRRORS ledger.rs fn take_due cdc80106d94a0318
; MIRRORS ledger.rs fn release dd33345e3703aa4f
; MIRRORS ledger.rs fn refund 82214049ca4f692b
; MIRRORS ledger.rs fn divide ccb2b0599ec97df5
; MIRRORS ledger.rs fn pay_arbiter a77e7b394a3c086b
; MIRRORS ledger.rs fn invariant e923996991b68ba0
; MIRRORS ledger.rs fn sum c484bf4e2e0499d8
; MIRRORS ledger.rs fn subtract 9894e819ddab81d9
; MIRRORS milestone.rs fn take 7752d60e0307bfa0
; MIRRORS milestone.rs fn take_all 414c808dd55b1a2c
; MIRRORS escrow.rs fn cancel 933cea8b97a1f15f
; MIRRORS escrow.rs fn claim 828cf1b8c54aee39
; MIRRORS escrow.rs fn release ed374f0f677632ec
; MIRRORS escrow.rs fn refund ec027c7ce80e44f0
; MIRRORS escrow.rs fn rule 2e7f47f753f511cc
; MIRRORS escrow.rs fn expire bd0e90598c58a8bc
; MIRRORS escrow.rs fn accept 62ac28c025359a1e
; MIRRORS escrow.rs fn withdraw 6bbeb84c16ad132a
; MIRRORS escrow.rs fn take 26fa7672905a7416

(define-fun TWO_TO_64 () Int 18446744073709551616)
(define-fun is-u64 ((a Int)) Bool (and (<= 0 a) (< a TWO_TO_64)))
(define-fun is-bps ((a Int)) Bool (and (<= 0 a) (<= a 10000)))
(define-fun is-share ((amount Int) (bps Int) (floor Int)) Bool
  (and (<= (* 10000 floor) (* amount bps)) (< (* amount bps) (* 10000 (+ floor 1)))))
(define-fun fits ((a Int) (b Int)) Bool (is-u64 (+ a b)))

; The counters of the account, and behind them what was ever paid out, which only the chain knows.
(declare-datatypes ((Ledger 0)) (((ledger
  (principal Int) (released Int) (refunded Int) (fees Int) (arbiter-fees Int)
  (due-buyer Int) (due-seller Int) (due-fee Int) (due-arbiter Int)
  (paid-buyer Int) (paid-seller Int) (paid-fee Int) (paid-arbiter Int)))))

(define-fun total-due ((l Ledger)) Int (+ (due-buyer l) (due-seller l) (due-fee l) (due-arbiter l)))
(define-fun total-paid ((l Ledger)) Int (+ (paid-buyer l) (paid-seller l) (paid-fee l) (paid-arbiter l)))

; What holds at every moment, with `undecided` the sum of what remains of the milestones: the counters are 64-bit numbers
; that add up, the total fee is the floor of what was released, and what was decided for each is due or paid.
(define-fun adds-up ((l Ledger) (undecided Int) (fee-bps Int)) Bool
  (and (is-u64 (principal l)) (is-u64 undecided)
       (is-u64 (released l)) (is-u64 (refunded l)) (is-u64 (fees l)) (is-u64 (arbiter-fees l))
       (is-u64 (due-buyer l)) (is-u64 (due-seller l)) (is-u64 (due-fee l)) (is-u64 (due-arbiter l))
       (is-u64 (paid-buyer l)) (is-u64 (paid-seller l)) (is-u64 (paid-fee l)) (is-u64 (paid-arbiter l))
       (= (principal l) (+ undecided (released l) (refunded l) (arbiter-fees l)))
       (is-share (released l) fee-bps (fees l))
       (= (refunded l) (+ (due-buyer l) (paid-buyer l)))
       (= (- (released l) (fees l)) (+ (due-seller l) (paid-seller l)))
       (= (fees l) (+ (due-fee l) (paid-fee l)))
       (= (arbiter-fees l) (+ (due-arbiter l) (paid-arbiter l)))))

; fn release: `new-fees` is share(released + amount, fee_bps), the fee leg is what it is more than before.
(define-fun fee-leg ((l Ledger) (new-fees Int)) Int (- new-fees (fees l)))
(define-fun seller-leg ((l Ledger) (amount Int) (new-fees Int)) Int (- amount (fee-leg l new-fees)))
(define-fun release-ok ((l Ledger) (amount Int) (new-fees Int)) Bool
  (and (fits (released l) amount)
       (>= new-fees (fees l))
       (>= amount (fee-leg l new-fees))
       (fits (due-fee l) (fee-leg l new-fees))
       (fits (due-seller l) (seller-leg l amount new-fees))))
(define-fun release ((l Ledger) (amount Int) (new-fees Int)) Ledger (ledger
  (principal l) (+ (released l) amount) (refunded l) new-fees (arbiter-fees l)
  (due-buyer l) (+ (due-seller l) (seller-leg l amount new-fees)) (+ (due-fee l) (fee-leg l new-fees)) (due-arbiter l)
  (paid-buyer l) (paid-seller l) (paid-fee l) (paid-arbiter l)))

; fn refund
(define-fun refund-ok ((l Ledger) (amount Int)) Bool (and (fits (refunded l) amount) (fits (due-buyer l) amount)))
(define-fun refund ((l Ledger) (amount Int)) Ledger (ledger
  (principal l) (released l) (+ (refunded l) amount) (fees l) (arbiter-fees l)
  (+ (due-buyer l) amount) (due-seller l) (due-fee l) (due-arbiter l)
  (paid-buyer l) (paid-seller l) (paid-fee l) (paid-arbiter l)))

; fn divide: releases `to-seller`, then refunds the rest.
(define-fun divide-ok ((l Ledger) (amount Int) (to-seller Int) (new-fees Int)) Bool
  (and (<= to-seller amount)
       (release-ok l to-seller new-fees)
       (refund-ok (release l to-seller new-fees) (- amount to-seller))))
(define-fun divide ((l Ledger) (amount Int) (to-seller Int) (new-fees Int)) Ledger
  (refund (release l to-seller new-fees) (- amount to-seller)))

; fn pay_arbiter
(define-fun pay-arbiter-ok ((l Ledger) (amount Int)) Bool
  (and (fits (arbiter-fees l) amount) (fits (due-arbiter l) amount)))
(define-fun pay-arbiter ((l Ledger) (amount Int)) Ledger (ledger
  (principal l) (released l) (refunded l) (fees l) (+ (arbiter-fees l) amount)
  (due-buyer l) (due-seller l) (due-fee l) (+ (due-arbiter l) amount)
  (paid-buyer l) (paid-seller l) (paid-fee l) (paid-arbiter l)))

; fn rule, in its order: the arbiter's fee, then a split of the rest.
(define-fun rule-ok ((l Ledger) (remaining Int) (fee Int) (to-seller Int) (new-fees Int)) Bool
  (and (pay-arbiter-ok l fee)
       (>= remaining fee)
       (divide-ok (pay-arbiter l fee) (- remaining fee) to-seller new-fees)))
(define-fun rule ((l Ledger) (remaining Int) (fee Int) (to-seller Int) (new-fees Int)) Ledger
  (divide (pay-arbiter l fee) (- remaining fee) to-seller new-fees))

; fn take_due, for each recipient: what was due is paid.
(define-fun take-due-buyer ((l Ledger)) Ledger (ledger
  (principal l) (released l) (refunded l) (fees l) (arbiter-fees l)
  0 (due-seller l) (due-fee l) (due-arbiter l)
  (+ (paid-buyer l) (due-buyer l)) (paid-seller l) (paid-fee l) (paid-arbiter l)))
(define-fun take-due-seller ((l Ledger)) Ledger (ledger
  (principal l) (released l) (refunded l) (fees l) (arbiter-fees l)
  (due-buyer l) 0 (due-fee l) (due-arbiter l)
  (paid-buyer l) (+ (paid-seller l) (due-seller l)) (paid-fee l) (paid-arbiter l)))
(define-fun take-due-fee ((l Ledger)) Ledger (ledger
  (principal l) (released l) (refunded l) (fees l) (arbiter-fees l)
  (due-buyer l) (due-seller l) 0 (due-arbiter l)
  (paid-buyer l) (paid-seller l) (+ (paid-fee l) (due-fee l)) (paid-arbiter l)))
(define-fun take-due-arbiter ((l Ledger)) Ledger (ledger
  (principal l) (released l) (refunded l) (fees l) (arbiter-fees l)
  (due-buyer l) (due-seller l) (due-fee l) 0
  (paid-buyer l) (paid-seller l) (paid-fee l) (+ (paid-arbiter l) (due-arbiter l))))

; fn sum: add, folded over four amounts from 0.
(define-fun sum-ok ((a Int) (b Int) (c Int) (d Int)) Bool
  (and (fits 0 a) (fits a b) (fits (+ a b) c) (fits (+ a b c) d)))

; fn subtract: checked_sub, folded over the parts.
(define-fun subtract-ok ((whole Int) (a Int) (b Int) (c Int)) Bool
  (and (>= whole a) (>= (- whole a) b) (>= (- (- whole a) b) c)))
(define-fun subtract ((whole Int) (a Int) (b Int) (c Int)) Int (- (- (- whole a) b) c))

; fn invariant, which runs at the end of every transition.
(define-fun invariant-ok ((l Ledger) (remaining Int)) Bool
  (and (subtract-ok (principal l) (released l) (refunded l) (arbiter-fees l))
       (>= (released l) (fees l))
       (= remaining (subtract (principal l) (released l) (refunded l) (arbiter-fees l)))
       (<= (due-buyer l) (refunded l))
       (<= (due-seller l) (- (released l) (fees l)))
       (<= (due-fee l) (fees l))
       (<= (due-arbiter l) (arbiter-fees l))))

; CLAIM a new escrow's ledger adds up: nothing is decided, all is undecided
(push)
(declare-const paid-in Int)
(declare-const fee-bps Int)
(assert (and (is-u64 paid-in) (is-bps fee-bps)))
; THEREFORE
(assert (not (adds-up (ledger paid-in 0 0 0 0 0 0 0 0 0 0 0 0) paid-in fee-bps)))
(check-sat)
(pop)

; CLAIM the program's invariant accepts every ledger that adds up, and what is due to all can be added up
(push)
(declare-const l Ledger)
(declare-const undecided Int)
(declare-const fee-bps Int)
(assert (and (is-bps fee-bps) (adds-up l undecided fee-bps)))
; THEREFORE
(assert (not (and (invariant-ok l undecided) (sum-ok (due-buyer l) (due-seller l) (due-fee l) (due-arbiter l)))))
(check-sat)
(pop)

; CLAIM paid in = paid out + still held (undecided or due), in every ledger that adds up
(push)
(declare-const l Ledger)
(declare-const undecided Int)
(declare-const fee-bps Int)
(assert (and (is-bps fee-bps) (adds-up l undecided fee-bps)))
; THEREFORE
(assert (not (= (principal l) (+ (total-paid l) (total-due l) undecided))))
(check-sat)
(pop)

; CLAIM once nothing is undecided and nothing due, exactly the principal was paid out
(push)
(declare-const l Ledger)
(declare-const fee-bps Int)
(assert (and (is-bps fee-bps) (adds-up l 0 fee-bps) (= (total-due l) 0)))
; THEREFORE
(assert (not (= (principal l) (total-paid l))))
(check-sat)
(pop)

; CLAIM a release of what a milestone has is never refused, its fee leg lies between 0 and it, and the ledger adds up
(push)
(declare-const l Ledger)
(declare-const undecided Int)
(declare-const fee-bps Int)
(declare-const amount Int)
(declare-const new-fees Int)
(assert (and (is-bps fee-bps) (adds-up l undecided fee-bps) (<= 0 amount) (<= amount undecided)))
(assert (is-share (+ (released l) amount) fee-bps new-fees))
; THEREFORE
(assert (not (and (release-ok l amount new-fees)
                  (<= 0 (fee-leg l new-fees)) (<= (fee-leg l new-fees) amount)
                  (= amount (+ (fee-leg l new-fees) (seller-leg l amount new-fees)))
                  (adds-up (release l amount new-fees) (- undecided amount) fee-bps))))
(check-sat)
(pop)

; CLAIM a refund of what a milestone has is never refused, and the ledger adds up
(push)
(declare-const l Ledger)
(declare-const undecided Int)
(declare-const fee-bps Int)
(declare-const amount Int)
(assert (and (is-bps fee-bps) (adds-up l undecided fee-bps) (<= 0 amount) (<= amount undecided)))
; THEREFORE
(assert (not (and (refund-ok l amount) (adds-up (refund l amount) (- undecided amount) fee-bps))))
(check-sat)
(pop)

; CLAIM any split of what a milestone has (accept) is never refused, and the ledger adds up
(push)
(declare-const l Ledger)
(declare-const undecided Int)
(declare-const fee-bps Int)
(declare-const amount Int)
(declare-const to-seller Int)
(declare-const new-fees Int)
(assert (and (is-bps fee-bps) (adds-up l undecided fee-bps)))
(assert (and (<= 0 to-seller) (<= to-seller amount) (<= amount undecided)))
(assert (is-share (+ (released l) to-seller) fee-bps new-fees))
; THEREFORE
(assert (not (and (divide-ok l amount to-seller new-fees)
                  (= amount (+ (fee-leg l new-fees) (seller-leg l to-seller new-fees) (- amount to-seller)))
                  (adds-up (divide l amount to-seller new-fees) (- undecided amount) fee-bps))))
(check-sat)
(pop)

; CLAIM a split by any rate (expire) is never refused, and the ledger adds up
(push)
(declare-const l Ledger)
(declare-const undecided Int)
(declare-const fee-bps Int)
(declare-const remaining Int)
(declare-const seller-bps Int)
(declare-const to-seller Int)
(declare-const new-fees Int)
(assert (and (is-bps fee-bps) (is-bps seller-bps) (adds-up l undecided fee-bps)))
(assert (and (<= 0 remaining) (<= remaining undecided) (is-share remaining seller-bps to-seller)))
(assert (is-share (+ (released l) to-seller) fee-bps new-fees))
; THEREFORE
(assert (not (and (divide-ok l remaining to-seller new-fees)
                  (adds-up (divide l remaining to-seller new-fees) (- undecided remaining) fee-bps))))
(check-sat)
(pop)

; CLAIM a ruling is never refused: the arbiter's fee, the seller's part, its fee and the buyer's part are what remained
(push)
(declare-const l Ledger)
(declare-const undecided Int)
(declare-const fee-bps Int)
(declare-const arbiter-fee-bps Int)
(declare-const seller-bps Int)
(declare-const remaining Int)
(declare-const fee Int)
(declare-const to-seller Int)
(declare-const new-fees Int)
(assert (and (is-bps fee-bps) (is-bps arbiter-fee-bps) (is-bps seller-bps) (adds-up l undecided fee-bps)))
(assert (and (<= 0 remaining) (<= remaining undecided)))
(assert (is-share remaining arbiter-fee-bps fee))
(assert (is-share (- remaining fee) seller-bps to-seller))
(assert (is-share (+ (released l) to-seller) fee-bps new-fees))
; THEREFORE
(assert (not (and (rule-ok l remaining fee to-seller new-fees)
                  (= remaining (+ fee (fee-leg l new-fees) (seller-leg l to-seller new-fees)
                                  (- (- remaining fee) to-seller)))
                  (<= 0 fee) (<= 0 (fee-leg l new-fees)) (<= 0 (seller-leg l to-seller new-fees)))))
(check-sat)
(pop)

; CLAIM after a ruling the ledger adds up
(push)
(declare-const l Ledger)
(declare-const undecided Int)
(declare-const fee-bps Int)
(declare-const arbiter-fee-bps Int)
(declare-const seller-bps Int)
(declare-const remaining Int)
(declare-const fee Int)
(declare-const to-seller Int)
(declare-const new-fees Int)
(assert (and (is-bps fee-bps) (is-bps arbiter-fee-bps) (is-bps seller-bps) (adds-up l undecided fee-bps)))
(assert (and (<= 0 remaining) (<= remaining undecided)))
(assert (is-share remaining arbiter-fee-bps fee))
(assert (is-share (- remaining fee) seller-bps to-seller))
(assert (is-share (+ (released l) to-seller) fee-bps new-fees))
; THEREFORE
(assert (not (adds-up (rule l remaining fee to-seller new-fees) (- undecided remaining) fee-bps)))
(check-sat)
(pop)

; CLAIM a withdrawal, by anyone, keeps the ledger adding up
(push)
(declare-const l Ledger)
(declare-const undecided Int)
(declare-const fee-bps Int)
(assert (and (is-bps fee-bps) (adds-up l undecided fee-bps)))
; THEREFORE
(assert (not (and (adds-up (take-due-buyer l) undecided fee-bps)
                  (adds-up (take-due-seller l) undecided fee-bps)
                  (adds-up (take-due-fee l) undecided fee-bps)
                  (adds-up (take-due-arbiter l) undecided fee-bps))))
(check-sat)
(pop)

; CLAIM two releases leave the ledger that one of their sum leaves; so, by induction, does any number of them
(push)
(declare-const l Ledger)
(declare-const undecided Int)
(declare-const fee-bps Int)
(declare-const first Int)
(declare-const second Int)
(declare-const fees-first Int)
(declare-const fees-second Int)
(declare-const fees-one Int)
(assert (and (is-bps fee-bps) (adds-up l undecided fee-bps)))
(assert (and (<= 0 first) (<= 0 second) (<= (+ first second) undecided)))
(assert (is-share (+ (released l) first) fee-bps fees-first))
(assert (is-share (+ (released (release l first fees-first)) second) fee-bps fees-second))
(assert (is-share (+ (released l) (+ first second)) fee-bps fees-one))
; THEREFORE
(assert (not (= (release (release l first fees-first) second fees-second) (release l (+ first second) fees-one))))
(check-sat)
(pop)

; CLAIM a refund, a ruling's fee and a withdrawal leave the fee as it is: it depends on what was released only
(push)
(declare-const l Ledger)
(declare-const amount Int)
; THEREFORE
(assert (not (and (= (fees (refund l amount)) (fees l)) (= (released (refund l amount)) (released l))
                  (= (fees (pay-arbiter l amount)) (fees l)) (= (released (pay-arbiter l amount)) (released l))
                  (= (fees (take-due-fee l)) (fees l)) (= (released (take-due-fee l)) (released l)))))
(check-sat)
(pop)
