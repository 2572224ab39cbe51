;; Mixes 16 bytes through a table of 32 KiB, sixty million times over, and writes 8 bytes that follow
;; from all of it. Each step needs the one before, so that no machine does two at once.
(module
  (import "wasi_snapshot_preview1" "fd_read"
    (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (local $a i64) (local $b i64) (local $left i32) (local $at i32)
    ;; The buffer of both calls: its address and length at 0, its bytes at 16.
    (i32.store (i32.const 0) (i32.const 16))
    (i32.store (i32.const 4) (i32.const 16))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (local.set $a (i64.load (i32.const 16)))
    (local.set $b (i64.load (i32.const 24)))
    (local.set $left (i32.const 60000000))
    (loop $next
      (local.set $a (i64.add
        (i64.mul
          (i64.xor (local.get $a) (i64.shr_u (local.get $a) (i64.const 29)))
          (i64.const 0xbf58476d1ce4e5b9))
        (local.get $b)))
      (local.set $at (i32.add
        (i32.const 1024)
        (i32.and (i32.wrap_i64 (i64.shr_u (local.get $a) (i64.const 40))) (i32.const 0x7ff8))))
      (local.set $b (i64.add
        (i64.xor (i64.rotl (local.get $b) (i64.const 13)) (i64.load (local.get $at)))
        (local.get $a)))
      (i64.store (local.get $at) (local.get $b))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $next (local.get $left)))
    (i64.store (i32.const 16) (i64.xor (local.get $a) (local.get $b)))
    (i32.store (i32.const 4) (i32.const 8))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
