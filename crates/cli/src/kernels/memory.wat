;; Memory: dependent loads over 16 MiB, in an order that no prefetcher guesses.
(module
  (memory 256)
  (func (export "run") (result i32) (local $n i32) (local $at i32)
    (local.set $n (i32.const 3000000))
    (loop $next
      (local.set $at
        (i32.and
          (i32.add (i32.mul (local.get $at) (i32.const 1664525)) (i32.const 1013904223))
          (i32.const 0xfffffc)))
      (local.set $at (i32.add (local.get $at) (i32.load (local.get $at))))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (i32.eq (local.get $at) (i32.const 1))))
