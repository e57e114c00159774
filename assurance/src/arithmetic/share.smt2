; floor(amount · bps / 10,000), as the program computes it. A solver multiplies integers more easily than bits, so 64-bit
; numbers are integers here, and what wrapping_mul and wrapping_add leave is written down: the exact result is the
; value, between 0 and 2^64 - 1, and a number of times 2^64. That this number is 0 is among the claims.
;
; MIRRORS ledger.rs const BPS_DENOMINATOR 06384712f83c7895
; MIRRORS ledger.rs fn share cd4f49f31e74b700

(define-fun TWO_TO_64 () Int 18446744073709551616)
(define-fun is-u64 ((a Int)) Bool (and (<= 0 a) (< a TWO_TO_64)))
(define-fun is-bps ((a Int)) Bool (and (<= 0 a) (<= a 10000)))

; `value` is what a wrapping operation with this exact result leaves; 2^64 was lost so many `times`.
(define-fun wraps ((exact Int) (value Int) (times Int)) Bool
  (and (is-u64 value) (= exact (+ value (* TWO_TO_64 times)))))

; quotient = a / 10,000 and rest = a % 10,000.
(define-fun divides ((a Int) (quotient Int) (rest Int)) Bool
  (and (= a (+ (* 10000 quotient) rest)) (<= 0 rest) (< rest 10000)))

; floor(amount · bps / 10,000): what share should be.
(define-fun is-share ((amount Int) (bps Int) (floor Int)) Bool
  (and (<= (* 10000 floor) (* amount bps)) (< (* amount bps) (* 10000 (+ floor 1)))))

; u64::MAX / 10,000, which the first claim is about.
(define-fun LIMIT () Int 1844674407370955)

; fn share, up to the limit: product = amount.wrapping_mul(bps); result = product / 10,000.
(define-fun share-small ((amount Int) (bps Int) (product Int) (lost Int) (result Int) (rest Int)) Bool
  (and (<= amount LIMIT) (wraps (* amount bps) product lost) (divides product result rest)))

; fn share, above it: whole = amount / 10,000; rest = amount % 10,000; first = whole.wrapping_mul(bps);
; second = rest.wrapping_mul(bps); third = second / 10,000; result = first.wrapping_add(third).
(define-fun share-large
  ((amount Int) (bps Int) (whole Int) (rest Int) (first Int) (lost-first Int) (second Int) (lost-second Int)
   (third Int) (third-rest Int) (result Int) (lost-result Int)) Bool
  (and (> amount LIMIT)
       (divides amount whole rest)
       (wraps (* whole bps) first lost-first)
       (wraps (* rest bps) second lost-second)
       (divides second third third-rest)
       (wraps (+ first third) result lost-result)))

; CLAIM the limit is the largest 64-bit number divided by 10,000
(push)
(declare-const limit Int)
(declare-const rest Int)
(assert (divides (- TWO_TO_64 1) limit rest))
; THEREFORE
(assert (not (= limit LIMIT)))
(check-sat)
(pop)

; CLAIM up to the limit nothing wraps around, and the share is the floor
(push)
(declare-const amount Int)
(declare-const bps Int)
(declare-const product Int)
(declare-const lost Int)
(declare-const result Int)
(declare-const rest Int)
(assert (and (is-u64 amount) (is-bps bps) (share-small amount bps product lost result rest)))
; THEREFORE
(assert (not (and (= lost 0) (is-share amount bps result))))
(check-sat)
(pop)

; CLAIM above the limit neither product nor the sum wraps around
(push)
(declare-const amount Int)
(declare-const bps Int)
(declare-const whole Int)
(declare-const rest Int)
(declare-const first Int)
(declare-const lost-first Int)
(declare-const second Int)
(declare-const lost-second Int)
(declare-const third Int)
(declare-const third-rest Int)
(declare-const result Int)
(declare-const lost-result Int)
(assert (and (is-u64 amount) (is-bps bps)))
(assert (share-large amount bps whole rest first lost-first second lost-second third third-rest result lost-result))
; THEREFORE
(assert (not (and (= lost-first 0) (= lost-second 0) (= lost-result 0))))
(check-sat)
(pop)

; CLAIM above the limit the share is the floor
(push)
(declare-const amount Int)
(declare-const bps Int)
(declare-const whole Int)
(declare-const rest Int)
(declare-const first Int)
(declare-const lost-first Int)
(declare-const second Int)
(declare-const lost-second Int)
(declare-const third Int)
(declare-const third-rest Int)
(declare-const result Int)
(declare-const lost-result Int)
(assert (and (is-u64 amount) (is-bps bps)))
(assert (share-large amount bps whole rest first lost-first second lost-second third third-rest result lost-result))
; THEREFORE
(assert (not (is-share amount bps result)))
(check-sat)
(pop)

; CLAIM there is only one floor
(push)
(declare-const amount Int)
(declare-const bps Int)
(declare-const one Int)
(declare-const other Int)
(assert (and (is-u64 amount) (is-bps bps) (is-share amount bps one) (is-share amount bps other)))
; THEREFORE
(assert (not (= one other)))
(check-sat)
(pop)

; CLAIM a share is never negative and never more than the amount, so the rest is what remains: nothing is lost
(push)
(declare-const amount Int)
(declare-const bps Int)
(declare-const floor Int)
(assert (and (is-u64 amount) (is-bps bps) (is-share amount bps floor)))
; THEREFORE
(assert (not (and (<= 0 floor) (<= floor amount) (is-u64 (- amount floor)))))
(check-sat)
(pop)

; CLAIM a share of 0 is nothing, and a share of 10,000 is all
(push)
(declare-const amount Int)
(declare-const nothing Int)
(declare-const all Int)
(assert (and (is-u64 amount) (is-share amount 0 nothing) (is-share amount 10000 all)))
; THEREFORE
(assert (not (and (= nothing 0) (= all amount))))
(check-sat)
(pop)

; CLAIM a share grows with the amount, and by no more than the amount does
(push)
(declare-const amount Int)
(declare-const more Int)
(declare-const bps Int)
(declare-const before Int)
(declare-const after Int)
(assert (and (is-u64 amount) (<= 0 more) (is-u64 (+ amount more)) (is-bps bps)))
(assert (and (is-share amount bps before) (is-share (+ amount more) bps after)))
; THEREFORE
(assert (not (and (<= 0 (- after before)) (<= (- after before) more))))
(check-sat)
(pop)

; CLAIM a share grows with the rate
(push)
(declare-const amount Int)
(declare-const low Int)
(declare-const high Int)
(declare-const less Int)
(declare-const more Int)
(assert (and (is-u64 amount) (is-bps low) (is-bps high) (<= low high)))
(assert (and (is-share amount low less) (is-share amount high more)))
; THEREFORE
(assert (not (<= less more)))
(check-sat)
(pop)
