//! Components that try one thing in `before-dump`, and say what came of it.

use dr_host_tests::component::Guest;

/// The value of a variable that every test process has, and no component.
pub(crate) const HOME: &str = "value: /";

/// What the component is to find; anything else is an error with another text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It can do it.
    Allowed,
    /// `access-denied`, of sockets.
    Denied,
    /// `invalid-argument`, of sockets.
    Invalid,
    /// `TLS-certificate-error`.
    NotTrusted,
    /// `HTTP-request-denied`.
    RequestDenied,
    /// `not-permitted`, of files.
    NotPermitted,
    /// There is no directory at all.
    Nothing,
}

/// The component that does what `attempt` says, a call that leaves 0, or 1 more than the code of an error.
fn trying(mut guest: Guest, attempt: &str, outcome: Outcome) -> Guest {
    let (code, text) = match outcome {
        Outcome::Allowed => (0, ""),
        Outcome::Denied => (2, "access-denied, as it should"),
        Outcome::Invalid => (4, "invalid-argument, as it should"),
        Outcome::NotTrusted => (14, "TLS-certificate-error, as it should"),
        Outcome::RequestDenied => (16, "HTTP-request-denied, as it should"),
        Outcome::NotPermitted => (32, "not-permitted, as it should"),
        Outcome::Nothing => (200, "there is no directory, as it should"),
    };
    let (expected, other) = (guest.text(text), guest.text("something else came of it"));
    let ended = match outcome {
        Outcome::Allowed => "(call $ok_point)".to_owned(),
        _ => format!("(call $fail_point (i32.const 2) {expected})"),
    };
    guest.body(
        "before-dump",
        &format!(
            "(local.set $n {attempt})
             (if (i32.ne (local.get $n) (i32.const {code})) (then (return (call $fail_point (i32.const 7) {other}))))
             {ended}"
        ),
    )
}

/// Opens a TCP connection.
pub(crate) fn connecting(address: [u8; 4], port: u16, outcome: Outcome) -> Guest {
    let guest = Guest::new()
        .imports(
            "import wasi:sockets/instance-network@0.2.0; import wasi:sockets/tcp-create-socket@0.2.0; import wasi:sockets/tcp@0.2.0;",
            r#"(import "wasi:sockets/instance-network@0.2.0" "instance-network" (func $network (result i32)))
               (import "wasi:sockets/tcp-create-socket@0.2.0" "create-tcp-socket" (func $create_tcp (param i32 i32)))
               (import "wasi:sockets/tcp@0.2.0" "[method]tcp-socket.start-connect"
                 (func $start_connect (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
               (import "wasi:sockets/tcp@0.2.0" "[method]tcp-socket.finish-connect" (func $finish_connect (param i32 i32)))"#,
        )
        .functions(
            r#"(func $connect (param $a i32) (param $b i32) (param $c i32) (param $d i32) (param $port i32) (result i32) (local $socket i32)
                 (call $create_tcp (i32.const 0) (global.get $ret))
                 (if (i32.load8_u (global.get $ret)) (then (return (i32.add (i32.const 1) (i32.load8_u offset=4 (global.get $ret))))))
                 (local.set $socket (i32.load offset=4 (global.get $ret)))
                 (call $start_connect (local.get $socket) (call $network) (i32.const 0)
                   (local.get $port) (local.get $a) (local.get $b) (local.get $c) (local.get $d)
                   (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (global.get $ret))
                 (if (i32.load8_u (global.get $ret)) (then (return (i32.add (i32.const 1) (i32.load8_u offset=1 (global.get $ret))))))
                 (loop $again
                   (call $finish_connect (local.get $socket) (global.get $ret))
                   (if (i32.eqz (i32.load8_u (global.get $ret))) (then (return (i32.const 0))))
                   (br_if $again (i32.eq (i32.load8_u offset=4 (global.get $ret)) (i32.const 8))))
                 (i32.add (i32.const 1) (i32.load8_u offset=4 (global.get $ret))))"#,
        );
    let numbers: Vec<_> = address.iter().map(|number| format!("(i32.const {number})")).collect();
    trying(guest, &format!("(call $connect {} (i32.const {port}))", numbers.join(" ")), outcome)
}

/// The status of the answer that [`requesting`] must get.
pub(crate) const STATUS: u16 = 418;

/// Makes an HTTP request for `/answer`, and waits for the answer.
pub(crate) fn requesting(authority: &str, outcome: Outcome) -> Guest {
    requesting_by(HTTP, authority, outcome)
}

/// The schemes by their numbers in WASI.
const HTTP: u8 = 0;
const HTTPS: u8 = 1;

/// The same over TLS.
pub(crate) fn requesting_over_tls(authority: &str, outcome: Outcome) -> Guest {
    requesting_by(HTTPS, authority, outcome)
}

fn requesting_by(scheme: u8, authority: &str, outcome: Outcome) -> Guest {
    let mut guest = Guest::new().imports(
        "import wasi:io/poll@0.2.0; import wasi:http/types@0.2.0; import wasi:http/outgoing-handler@0.2.0;",
        r#"(import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))
           (import "wasi:http/types@0.2.0" "[constructor]fields" (func $headers (result i32)))
           (import "wasi:http/types@0.2.0" "[constructor]outgoing-request" (func $new_request (param i32) (result i32)))
           (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-path-with-query"
             (func $set_path (param i32 i32 i32 i32) (result i32)))
           (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-scheme"
             (func $set_scheme (param i32 i32 i32 i32 i32) (result i32)))
           (import "wasi:http/types@0.2.0" "[method]outgoing-request.set-authority"
             (func $set_authority (param i32 i32 i32 i32) (result i32)))
           (import "wasi:http/types@0.2.0" "[method]future-incoming-response.subscribe" (func $subscribe (param i32) (result i32)))
           (import "wasi:http/types@0.2.0" "[method]future-incoming-response.get" (func $answer (param i32 i32)))
           (import "wasi:http/types@0.2.0" "[method]incoming-response.status" (func $status (param i32) (result i32)))
           (import "wasi:http/outgoing-handler@0.2.0" "handle" (func $handle (param i32 i32 i32 i32)))"#,
    );
    let (authority, path) = (guest.text(authority), guest.text("/answer"));
    let guest = guest.functions(&format!(
        r#"(func $request (result i32) (local $it i32)
             (local.set $it (call $new_request (call $headers)))
             (drop (call $set_scheme (local.get $it) (i32.const 1) (i32.const {scheme}) (i32.const 0) (i32.const 0)))
             (drop (call $set_authority (local.get $it) (i32.const 1) {authority}))
             (drop (call $set_path (local.get $it) (i32.const 1) {path}))
             (call $handle (local.get $it) (i32.const 0) (i32.const 0) (global.get $ret))
             (if (i32.load8_u (global.get $ret)) (then (return (i32.add (i32.const 1) (i32.load8_u offset=8 (global.get $ret))))))
             (local.set $it (i32.load offset=8 (global.get $ret)))
             (call $block (call $subscribe (local.get $it)))
             (call $answer (local.get $it) (global.get $ret))
             (if (i32.load8_u offset=16 (global.get $ret)) (then (return (i32.add (i32.const 1) (i32.load8_u offset=24 (global.get $ret))))))
             (i32.ne (i32.const {STATUS}) (call $status (i32.load offset=24 (global.get $ret)))))"#
    ));
    trying(guest, "(call $request)", outcome)
}

/// Resolves a name.
pub(crate) fn resolving(name: &str, outcome: Outcome) -> Guest {
    let mut guest = Guest::new()
        .imports(
            "import wasi:sockets/instance-network@0.2.0; import wasi:sockets/ip-name-lookup@0.2.0;",
            r#"(import "wasi:sockets/instance-network@0.2.0" "instance-network" (func $network (result i32)))
               (import "wasi:sockets/ip-name-lookup@0.2.0" "resolve-addresses" (func $resolve_addresses (param i32 i32 i32 i32)))"#,
        )
        .functions(
            r#"(func $resolve (param $name i32) (param $len i32) (result i32)
                 (call $resolve_addresses (call $network) (local.get $name) (local.get $len) (global.get $ret))
                 (if (i32.load8_u (global.get $ret)) (then (return (i32.add (i32.const 1) (i32.load8_u offset=4 (global.get $ret))))))
                 (i32.const 0))"#,
        );
    let name = guest.text(name);
    trying(guest, &format!("(call $resolve {name})"), outcome)
}

/// Opens a file below the first directory, following links: to be read, or made and written.
pub(crate) fn opening(path: &str, write: bool, outcome: Outcome) -> Guest {
    trying(with_files(path, write), "(call $open_it)", outcome)
}

/// The same in this moment, with the directory `data` as a need; it is no matter what comes of it.
pub(crate) fn opening_in(moment: &str, path: &str, write: bool) -> Guest {
    with_files(path, write).needs(2, "data", false).body(moment, "(drop (call $open_it)) (unreachable)")
}

/// Has `$open_it`, which leaves 0 (and the descriptor 4 behind `$ret`), or 1 more than the code of an error; and `$read_at`.
fn with_files(path: &str, write: bool) -> Guest {
    let mut guest = Guest::new().imports(
        "import wasi:filesystem/preopens@0.2.0; import wasi:filesystem/types@0.2.0;",
        r#"(import "wasi:filesystem/preopens@0.2.0" "get-directories" (func $directories (param i32)))
           (import "wasi:filesystem/types@0.2.0" "[method]descriptor.read" (func $read_at (param i32 i64 i64 i32)))
           (import "wasi:filesystem/types@0.2.0" "[method]descriptor.open-at" (func $open_at (param i32 i32 i32 i32 i32 i32 i32)))"#,
    );
    let path = guest.text(path);
    let (how, flags) = if write { (1, 2) } else { (0, 1) };
    guest.functions(&format!(
        r#"(func $open_it (result i32)
             (call $directories (global.get $ret))
             (if (i32.eqz (i32.load offset=4 (global.get $ret))) (then (return (i32.const 200))))
             (call $open_at (i32.load (i32.load (global.get $ret))) (i32.const 1) {path} (i32.const {how}) (i32.const {flags})
               (global.get $ret))
             (if (i32.load8_u (global.get $ret)) (then (return (i32.add (i32.const 1) (i32.load8_u offset=4 (global.get $ret))))))
             (i32.const 0))"#
    ))
}

/// Logs every variable of the environment that it sees.
pub(crate) fn listing_variables() -> Guest {
    let mut guest = Guest::new().imports(
        "import wasi:cli/environment@0.2.0;",
        r#"(import "wasi:cli/environment@0.2.0" "get-environment" (func $environment (param i32)))"#,
    );
    let (variable, value) = (guest.text("variable: "), guest.text("value: "));
    guest
        .functions(&format!(
            r#"(func $say (param $what i32) (param $what_len i32) (param $text i32) (param $len i32)
                 (memory.copy (i32.const 2048) (local.get $what) (local.get $what_len))
                 (memory.copy (i32.add (i32.const 2048) (local.get $what_len)) (local.get $text) (local.get $len))
                 (call $log (i32.const 2) (i32.const 2048) (i32.add (local.get $what_len) (local.get $len))))
               (func $list (local $at i32) (local $left i32)
                 (call $environment (global.get $ret))
                 (local.set $at (i32.load (global.get $ret)))
                 (local.set $left (i32.load offset=4 (global.get $ret)))
                 (block $end (loop $more
                   (br_if $end (i32.eqz (local.get $left)))
                   (call $say {variable} (i32.load (local.get $at)) (i32.load offset=4 (local.get $at)))
                   (call $say {value} (i32.load offset=8 (local.get $at)) (i32.load offset=12 (local.get $at)))
                   (local.set $at (i32.add (local.get $at) (i32.const 16)))
                   (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                   (br $more))))"#
        ))
        .body("before-dump", "(call $list) (call $ok_point)")
}

/// Reads a secret, logs it, and fails with it as its message; fails also where it gets none.
pub(crate) fn reading_secret(name: &str) -> Guest {
    let mut guest = Guest::new();
    let name = guest.text(name);
    guest.body(
        "before-dump",
        &format!(
            "(call $secret {name} (global.get $ret))
             (if (i32.load8_u (global.get $ret)) (then (return (call $fail_point (i32.const 2) (i32.load offset=8 (global.get $ret)) (i32.load offset=12 (global.get $ret))))))
             (local.set $h (i32.load offset=4 (global.get $ret)))
             (local.set $n (i32.load offset=8 (global.get $ret)))
             (call $log (i32.const 2) (local.get $h) (local.get $n))
             (call $fail_point (i32.const 7) (local.get $h) (local.get $n))"
        ),
    )
}
