(component $program
  (type $text-type (func (param "text" string) (result string)))
  (import "tick" (func $tick))
  (import "echo" (func $echo (type $text-type)))

  ;; A library whose functions, memory, table and globals the others share.
  (core module $library
    (memory (export "memory") 1)
    (table (export "table") 4 funcref)
    (global $next (export "next") (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (memory.copy (local.get $at) (local.get 0) (local.get 1))
      (local.get $at))
    (func (export "twice") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2))))
  (core instance $library (instantiate $library))
  (alias core export $library "memory" (core memory $memory))
  (alias core export $library "realloc" (core func $realloc))
  (alias core export $library "table" (core table $table))
  (alias core export $library "next" (core global $next))

  (core func $tick-lowered (canon lower (func $tick)))
  (core func $echo-lowered
    (canon lower (func $echo) (memory (core memory $memory)) (realloc (core func $realloc)) string-encoding=utf8))

  ;; A shim, whose functions are put into a table at last.
  (core module $shim
    (type $f (func (param i32) (result i32)))
    (import "env" "table" (table 4 funcref))
    (func (export "late") (param i32) (result i32)
      (call_indirect (type $f) (local.get 0) (i32.const 1))))
  (core instance $shared
    (export "table" (table $table))
    (export "memory" (memory $memory))
    (export "next" (global $next))
    (export "tick" (func $tick-lowered))
    (export "echo" (func $echo-lowered)))
  (core instance $shim (instantiate $shim (with "env" (instance $shared))))

  (core module $destructor
    (import "env" "tick" (func $tick))
    (func (export "drop") (param i32) (call $tick)))
  (core instance $destructor (instantiate $destructor (with "env" (instance $shared))))
  (alias core export $destructor "drop" (core func $tick-box))
  (type $box (resource (rep i32) (dtor (core func $tick-box))))
  (core func $box-new (canon resource.new $box))
  (core func $box-drop (canon resource.drop $box))
  (core func $box-rep (canon resource.rep $box))

  (core module $main
    (import "env" "memory" (memory 1))
    (import "env" "next" (global $next (mut i32)))
    (import "env" "tick" (func $tick))
    (import "env" "echo" (func $echo (param i32 i32 i32)))
    (import "shim" "late" (func $late (param i32) (result i32)))
    (import "library" "twice" (func $twice (param i32) (result i32)))
    (import "box" "new" (func $new (param i32) (result i32)))
    (import "box" "rep" (func $rep (param i32) (result i32)))
    (import "box" "drop" (func $drop (param i32)))
    (func $start (call $tick))
    (start $start)
    (func (export "run") (result i32)
      (call $tick)
      (call $twice (global.get $next)))
    (func (export "text") (param i32 i32) (result i32)
      (call $echo (local.get 0) (local.get 1) (i32.const 16))
      (i32.const 16))
    (func (export "text-done") (param i32) (i32.store (local.get 0) (i32.const 0)))
    (func (export "resource") (result i32)
      (local $box i32) (local $rep i32)
      (local.set $box (call $new (i32.const 42)))
      (local.set $rep (call $rep (local.get $box)))
      (call $drop (local.get $box))
      (local.get $rep))
    (func (export "linked") (param i32) (result i32) (call $late (local.get 0))))
  (core instance $main (instantiate $main
    (with "env" (instance $shared))
    (with "shim" (instance $shim))
    (with "library" (instance $library))
    (with "box" (instance
      (export "new" (func $box-new))
      (export "rep" (func $box-rep))
      (export "drop" (func $box-drop))))))

  ;; What fills the table has no function of its own.
  (core module $fixup
    (import "env" "table" (table 4 funcref))
    (import "library" "twice" (func $twice (param i32) (result i32)))
    (elem (i32.const 1) func $twice))
  (core instance (instantiate $fixup
    (with "env" (instance $shared))
    (with "library" (instance $library))))
  (core module $nothing)
  (core instance (instantiate $nothing))

  (func $run (result s32) (canon lift (core func $main "run")))
  (func $text (type $text-type)
    (canon lift (core func $main "text") (memory (core memory $memory)) (realloc (core func $realloc))
      (post-return (core func $main "text-done"))))
  (func $resource (result s32) (canon lift (core func $main "resource")))
  (func $linked (param "n" s32) (result s32) (canon lift (core func $main "linked")))

  ;; Components without code, as compilers make them for an interface that is exported: the types come
  ;; from two scopes further out.
  (component $outer
    (import "text" (func $text (type $text-type)))
    (component $inner
      (import "text" (func $text (type $text-type)))
      (type $own (instance
        (alias outer $program $text-type (type $text))
        (export "text" (func (type $text)))))
      (export "text" (func $text)))
    (instance $inner (instantiate $inner (with "text" (func $text))))
    (alias export $inner "text" (func $again))
    (export "text" (func $again)))
  (instance $shown (instantiate $outer (with "text" (func $text))))
  (alias export $shown "text" (func $text-shown))

  (export "run" (func $run))
  (export "text" (func $text-shown))
  (export "resource" (func $resource))
  (export "linked" (func $linked)))
