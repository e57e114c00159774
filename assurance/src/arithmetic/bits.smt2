; The additions of the program, as operations on the bits of the machine's numbers: bvadd wraps around,
; exactly as wrapping_add does. What they should be is said in numbers that are wide enough never to wrap around.
;
; MIRRORS ledger.rs fn add 5bd893670812148b
; MIRRORS time.rs const MAX_TIME_AHEAD c594d134eb4f98fc
; MIRRORS time.rs fn after 25c382c15a817393
; MIRRORS time.rs fn check_ahead 2678de8e155d07ac

(define-sort u32 () (_ BitVec 32))
(define-sort u64 () (_ BitVec 64))
(define-sort i64 () (_ BitVec 64))

; Wide enough for the sum of two numbers of 64 bits, with or without a sign.
(define-sort wide () (_ BitVec 72))
(define-fun of-unsigned ((a u64)) wide ((_ zero_extend 8) a))
(define-fun of-signed ((a i64)) wide ((_ sign_extend 8) a))
(define-fun of-window ((a u32)) wide ((_ zero_extend 40) a))
(define-fun fits-u64 ((a wide)) Bool (bvule a (of-unsigned #xffffffffffffffff)))
(define-fun fits-i64 ((a wide)) Bool
  (and (bvsle (of-signed #x8000000000000000) a) (bvsle a (of-signed #x7fffffffffffffff))))

; fn add: refuses unless b <= !a.
(define-fun add-ok ((a u64) (b u64)) Bool (bvule b (bvnot a)))
(define-fun add ((a u64) (b u64)) u64 (bvadd a b))

; fn after: refuses unless the end is not before the start.
(define-fun after ((start i64) (window u32)) i64 (bvadd start ((_ zero_extend 32) window)))
(define-fun after-ok ((start i64) (window u32)) Bool (bvsge (after start window) start))

; fn check_ahead, with MAX_TIME_AHEAD.
(define-fun MAX_TIME_AHEAD () u32 (_ bv63072000 32))
(define-fun check-ahead-ok ((time i64) (now i64)) Bool
  (and (bvsgt time now) (after-ok now MAX_TIME_AHEAD) (bvsle time (after now MAX_TIME_AHEAD))))

; CLAIM add refuses exactly the sums that do not fit in 64 bits
(push)
(declare-const a u64)
(declare-const b u64)
; THEREFORE
(assert (not (= (add-ok a b) (fits-u64 (bvadd (of-unsigned a) (of-unsigned b))))))
(check-sat)
(pop)

; CLAIM what add does not refuse is the sum
(push)
(declare-const a u64)
(declare-const b u64)
(assert (add-ok a b))
; THEREFORE
(assert (not (= (of-unsigned (add a b)) (bvadd (of-unsigned a) (of-unsigned b)))))
(check-sat)
(pop)

; CLAIM after refuses exactly the moments that do not fit in 64 bits with a sign
(push)
(declare-const start i64)
(declare-const window u32)
; THEREFORE
(assert (not (= (after-ok start window) (fits-i64 (bvadd (of-signed start) (of-window window))))))
(check-sat)
(pop)

; CLAIM what after does not refuse is the moment, which is not before the start
(push)
(declare-const start i64)
(declare-const window u32)
(assert (after-ok start window))
; THEREFORE
(assert (not (and (= (of-signed (after start window)) (bvadd (of-signed start) (of-window window)))
                  (bvsle start (after start window)))))
(check-sat)
(pop)

; CLAIM check_ahead accepts exactly the times after now and at most two years ahead, where that moment exists at all
(push)
(declare-const time i64)
(declare-const now i64)
(define-fun latest () wide (bvadd (of-signed now) (of-window MAX_TIME_AHEAD)))
; THEREFORE
(assert (not (= (check-ahead-ok time now)
                (and (bvslt (of-signed now) (of-signed time)) (bvsle (of-signed time) latest) (fits-i64 latest)))))
(check-sat)
(pop)
