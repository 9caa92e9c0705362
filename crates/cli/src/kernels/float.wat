;; Floating point: an iterated polynomial, each step waiting for the one before.
(module
  (func (export "run") (result i32) (local $n i32) (local $x f64)
    (local.set $n (i32.const 10000000))
    (local.set $x (f64.const 0.3))
    (loop $next
      (local.set $x
        (f64.mul (f64.mul (f64.const 3.7) (local.get $x)) (f64.sub (f64.const 1) (local.get $x))))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (f64.gt (local.get $x) (f64.const 1))))
