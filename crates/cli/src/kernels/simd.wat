;; Vectors: four lanes of integers at once.
(module
  (func (export "run") (result i32) (local $n i32) (local $x v128) (local $y v128)
    (local.set $n (i32.const 10000000))
    (local.set $x (v128.const i32x4 1 2 3 4))
    (local.set $y (v128.const i32x4 5 7 11 13))
    (loop $next
      (local.set $x (i32x4.add (i32x4.mul (local.get $x) (local.get $y)) (local.get $y)))
      (local.set $y (v128.xor (local.get $y) (i32x4.shr_u (local.get $x) (i32.const 3))))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32x4.all_true (v128.andnot (local.get $x) (local.get $x)))))
