;; Calls: recursion and calls through a table.
(module
  (type $step (func (param i32) (result i32)))
  (table 2 funcref)
  (elem (i32.const 0) $fib $same)
  (func $same (type $step) (local.get 0))
  (func $fib (type $step)
    (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))
      (then (call_indirect (type $step) (local.get 0) (i32.const 1)))
      (else
        (i32.add
          (call $fib (i32.sub (local.get 0) (i32.const 1)))
          (call_indirect (type $step) (i32.sub (local.get 0) (i32.const 2)) (i32.const 0))))))
  (func (export "run") (result i32) (i32.eqz (call $fib (i32.const 30)))))
