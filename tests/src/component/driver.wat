;; What every guest of the tests has. A body of a moment may use:
;;
;; locals      $set $set_len $config $config_len $recreate $extra, and $into (dump) or $source (restore, before-restore);
;;             $h $i $n (i32) and $l (i64) are free; in link-values only $arguments, their address
;;             (the sink's handle stands 60 behind), and the free ones
;; globals     $ret: where imports put their results; a result there is an error where its first byte is not 0, and then is also
;;             a moment's result
;; functions   $ok $ok_point $ok_outcome: results of moments
;;             $fail (kind, message): an error as a result; $fail_point: the same for before-dump
;;             $create (writer, name) -> entry; $write (entry, bytes); $finish (entry); $entry (writer, name, bytes) -> 0
;;             $entries (reader) -> walk; $next (walk, max); $open (reader, name) -> entry; $read (entry, max)
;;             $read_all (reader) -> result: reads through everything
;;             $push (sink, address of texts, count); $log (level, message); $progress (done)
;;             $drop_writer $drop_entry_writer $drop_reader $drop_entries $drop_entry_reader
(module
  (import "dumprestore:driver/log@0.1.0" "emit" (func $emit (param i32 i32 i32 i32 i32)))
  (import "dumprestore:driver/control@0.1.0" "progress" (func $report (param i64 i32 i64 i32)))
  (import "dumprestore:driver/control@0.1.0" "finding" (func $finding (param i32 i32 i32 i32 i32)))
  (import "dumprestore:driver/control@0.1.0" "cancelled" (func $cancelled (result i32)))
  (import "dumprestore:driver/secrets@0.1.0" "get" (func $secret (param i32 i32 i32)))
  (import "dumprestore:driver/archive@0.1.0" "[method]writer.create" (func $writer_create (param i32 i32 i32 i32 i64 i32 i32 i32 i32)))
  (import "dumprestore:driver/archive@0.1.0" "[method]entry-writer.write" (func $entry_write (param i32 i32 i32 i32)))
  (import "dumprestore:driver/archive@0.1.0" "[method]entry-writer.finish" (func $entry_finish (param i32 i32)))
  (import "dumprestore:driver/archive@0.1.0" "[method]reader.totals" (func $reader_totals (param i32 i32)))
  (import "dumprestore:driver/archive@0.1.0" "[method]reader.entries" (func $reader_entries (param i32 i32)))
  (import "dumprestore:driver/archive@0.1.0" "[method]reader.open" (func $reader_open (param i32 i32 i32 i32)))
  (import "dumprestore:driver/archive@0.1.0" "[method]entries.next" (func $entries_next (param i32 i32 i32)))
  (import "dumprestore:driver/archive@0.1.0" "[method]entry-reader.info" (func $entry_info (param i32 i32)))
  (import "dumprestore:driver/archive@0.1.0" "[method]entry-reader.read" (func $entry_read (param i32 i32 i32)))
  (import "dumprestore:driver/archive@0.1.0" "[method]link-sink.push" (func $sink_push (param i32 i32 i32 i32)))
  (import "dumprestore:driver/archive@0.1.0" "[resource-drop]writer" (func $drop_writer (param i32)))
  (import "dumprestore:driver/archive@0.1.0" "[resource-drop]entry-writer" (func $drop_entry_writer (param i32)))
  (import "dumprestore:driver/archive@0.1.0" "[resource-drop]reader" (func $drop_reader (param i32)))
  (import "dumprestore:driver/archive@0.1.0" "[resource-drop]entries" (func $drop_entries (param i32)))
  (import "dumprestore:driver/archive@0.1.0" "[resource-drop]entry-reader" (func $drop_entry_reader (param i32)))
  (import "dumprestore:driver/archive@0.1.0" "[resource-drop]link-sink" (func $drop_sink (param i32)))
  ;; IMPORTS

  (memory (export "memory") (;PAGES;))
  (global $ret i32 (i32.const 64))
  (global $heap (mut i32) (i32.const (;HEAP;)))
  (global $kept (mut i32) (i32.const 0))
  ;; DATA

  ;; Takes memory for good; $reset gives all of it back.
  (func $realloc (export "cabi_realloc") (param $old i32) (param $old_len i32) (param $align i32) (param $len i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $at) (local.get $len)))
    (block $fits
      (loop $more
        (br_if $fits (i32.le_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536))))
        (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))
        (unreachable)))
    (local.get $at))
  (func $reset (global.set $heap (i32.const (;HEAP;))))

  (func $ok (result i32)
    (i32.store8 (global.get $ret) (i32.const 0))
    (global.get $ret))
  (func $ok_point (result i32)
    (memory.fill (i32.const 128) (i32.const 0) (i32.const 48))
    (i32.store8 (i32.const 136) (i32.const 1))
    (i64.store (i32.const 144) (i64.const 1764000000))
    (i32.const 128))
  (func $ok_outcome (result i32) (call $outcome (;FORMAT;)))
  (func $outcome (param $format i32) (param $len i32) (result i32)
    (memory.fill (i32.const 128) (i32.const 0) (i32.const 48))
    (i32.store (i32.const 132) (local.get $format))
    (i32.store (i32.const 136) (local.get $len))
    (i32.const 128))
  (func $fail (param $kind i32) (param $message i32) (param $len i32) (result i32)
    (call $fail_at (i32.const 4) (local.get $kind) (local.get $message) (local.get $len)))
  (func $fail_point (param $kind i32) (param $message i32) (param $len i32) (result i32)
    (call $fail_at (i32.const 8) (local.get $kind) (local.get $message) (local.get $len)))
  (func $fail_at (param $at i32) (param $kind i32) (param $message i32) (param $len i32) (result i32)
    (memory.fill (i32.const 128) (i32.const 0) (i32.const 48))
    (i32.store8 (i32.const 128) (i32.const 1))
    (local.set $at (i32.add (i32.const 128) (local.get $at)))
    (i32.store8 (local.get $at) (local.get $kind))
    (i32.store offset=4 (local.get $at) (local.get $message))
    (i32.store offset=8 (local.get $at) (local.get $len))
    (i32.const 128))

  (func $create (param $writer i32) (param $name i32) (param $len i32) (result i32)
    (call $writer_create (local.get $writer) (local.get $name) (local.get $len)
      (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (global.get $ret))
    (i32.load offset=4 (global.get $ret)))
  (func $write (param $entry i32) (param $bytes i32) (param $len i32)
    (call $entry_write (local.get $entry) (local.get $bytes) (local.get $len) (global.get $ret)))
  (func $finish (param $entry i32)
    (call $entry_finish (local.get $entry) (global.get $ret)))
  (func $entry (param $writer i32) (param $name i32) (param $name_len i32) (param $bytes i32) (param $len i32) (result i32)
    (local $entry i32)
    (local.set $entry (call $create (local.get $writer) (local.get $name) (local.get $name_len)))
    (if (i32.load8_u (global.get $ret)) (then (return (i32.const 0))))
    (if (local.get $len) (then
      (call $write (local.get $entry) (local.get $bytes) (local.get $len))
      (if (i32.load8_u (global.get $ret)) (then (return (i32.const 0))))))
    (call $finish (local.get $entry))
    (if (i32.eqz (i32.load8_u (global.get $ret))) (then (call $drop_entry_writer (local.get $entry))))
    (i32.const 0))

  (func $entries (param $reader i32) (result i32)
    (call $reader_entries (local.get $reader) (global.get $ret))
    (i32.load offset=4 (global.get $ret)))
  (func $next (param $walk i32) (param $max i32)
    (call $entries_next (local.get $walk) (local.get $max) (global.get $ret)))
  (func $open (param $reader i32) (param $name i32) (param $len i32) (result i32)
    (call $reader_open (local.get $reader) (local.get $name) (local.get $len) (global.get $ret))
    (i32.load offset=4 (global.get $ret)))
  (func $read (param $entry i32) (param $max i32)
    (call $entry_read (local.get $entry) (local.get $max) (global.get $ret)))
  (func $push (param $sink i32) (param $texts i32) (param $count i32)
    (call $sink_push (local.get $sink) (local.get $texts) (local.get $count) (global.get $ret)))
  (func $log (param $level i32) (param $message i32) (param $len i32)
    (call $emit (local.get $level) (local.get $message) (local.get $len) (i32.const 0) (i32.const 0)))
  (func $progress (param $done i64)
    (call $report (local.get $done) (i32.const 0) (i64.const 0) (i32.const 0)))

  ;; Reads through every entry, one entry a page.
  (func $read_all (param $reader i32) (result i32)
    (local $walk i32) (local $entry i32)
    (local.set $walk (call $entries (local.get $reader)))
    (if (i32.load8_u (global.get $ret)) (then (return (global.get $ret))))
    (loop $page
      (call $reset)
      (call $next (local.get $walk) (i32.const 1))
      (if (i32.load8_u (global.get $ret)) (then (return (global.get $ret))))
      (if (i32.load offset=8 (global.get $ret)) (then
        (local.set $entry (i32.load offset=4 (global.get $ret)))
        (local.set $entry (call $open (local.get $reader) (i32.load (local.get $entry)) (i32.load offset=4 (local.get $entry))))
        (if (i32.load8_u (global.get $ret)) (then (return (global.get $ret))))
        (loop $chunk
          (call $reset)
          (call $read (local.get $entry) (i32.const 65536))
          (if (i32.load8_u (global.get $ret)) (then (return (global.get $ret))))
          (br_if $chunk (i32.load8_u offset=4 (global.get $ret))))
        (call $drop_entry_reader (local.get $entry))
        (br $page))))
    (call $drop_entries (local.get $walk))
    (call $ok_outcome))

  ;; FUNCTIONS

  (func $start ;; START
  )
  (start $start)

  (func (export "dumprestore:driver/moments@0.1.0#describe") (result i32)
    (local $h i32) (local $i i32) (local $n i32) (local $l i64)
    ;; DESCRIBE
  )
  (func (export "dumprestore:driver/moments@0.1.0#before-dump")
    (param $set i32) (param $set_len i32) (param $config i32) (param $config_len i32) (param $recreate i32) (param $extra i32)
    (result i32)
    (local $h i32) (local $i i32) (local $n i32) (local $l i64)
    ;; BEFORE_DUMP
  )
  (func (export "dumprestore:driver/moments@0.1.0#link-values") (param $arguments i32) (result i32)
    (local $h i32) (local $i i32) (local $n i32) (local $l i64)
    ;; LINK_VALUES
  )
  (func (export "dumprestore:driver/moments@0.1.0#dump")
    (param $set i32) (param $set_len i32) (param $config i32) (param $config_len i32) (param $recreate i32) (param $extra i32)
    (param $into i32) (result i32)
    (local $h i32) (local $i i32) (local $n i32) (local $l i64)
    ;; DUMP
  )
  (func (export "dumprestore:driver/moments@0.1.0#after-dump")
    (param $set i32) (param $set_len i32) (param $config i32) (param $config_len i32) (param $recreate i32) (param $extra i32)
    (param $ended i32) (param $why i32) (param $why_len i32) (result i32)
    (local $h i32) (local $i i32) (local $n i32) (local $l i64)
    ;; AFTER_DUMP
  )
  (func (export "dumprestore:driver/moments@0.1.0#before-restore")
    (param $set i32) (param $set_len i32) (param $config i32) (param $config_len i32) (param $recreate i32) (param $extra i32)
    (param $source i32) (result i32)
    (local $h i32) (local $i i32) (local $n i32) (local $l i64)
    ;; BEFORE_RESTORE
  )
  (func (export "dumprestore:driver/moments@0.1.0#restore")
    (param $set i32) (param $set_len i32) (param $config i32) (param $config_len i32) (param $recreate i32) (param $extra i32)
    (param $source i32) (result i32)
    (local $h i32) (local $i i32) (local $n i32) (local $l i64)
    ;; RESTORE
  )
  (func (export "dumprestore:driver/moments@0.1.0#after-restore")
    (param $set i32) (param $set_len i32) (param $config i32) (param $config_len i32) (param $recreate i32) (param $extra i32)
    (param $ended i32) (param $why i32) (param $why_len i32) (result i32)
    (local $h i32) (local $i i32) (local $n i32) (local $l i64)
    ;; AFTER_RESTORE
  )
)
