#!/usr/bin/env bash
# All tests. What follows is handed to `cargo nextest run`, a filter for instance: ./tests/run.sh connections
set -euo pipefail
cd "$(dirname "$0")/.."
need() { command -v "$1" >/dev/null 2>&1 || { echo "error: $1 is missing: $2" >&2; exit 1; }; }
need cargo "install Rust from your distribution or with rustup"
need cc "install a C compiler (Debian: apt-get install build-essential)"
python="install Python 3.11 or later with venv (Debian: apt-get install python3 python3-venv)"
need python3 "$python"
python3 -c 'import ensurepip, sys, venv; assert sys.version_info >= (3, 11)' 2>/dev/null || { echo "error: $python" >&2; exit 1; }
node="install Node 20 or later with npm (Debian: apt-get install nodejs npm)"
need node "$node"
need npm "$node"
{ [ -n "${CHROMIUM_BIN:-}" ] || command -v chromium-headless-shell || command -v chromium || command -v chromium-browser; } >/dev/null ||
    { echo "error: Chromium is missing: apt-get install chromium, or name one by CHROMIUM_BIN" >&2; exit 1; }
cargo nextest --version >/dev/null 2>&1 ||
    { echo "error: cargo-nextest is missing: cargo install --locked cargo-nextest" >&2; exit 1; }
compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null ||
    { echo "error: the PostgreSQL server's binaries are missing: apt-get install postgresql" >&2; exit 1; }
# The whole workspace at once, tests included: what the tests need is compiled once and not once more for this program.
cargo build --locked --workspace --all-targets --all-features
exec "${CARGO_TARGET_DIR:-target}/debug/xtask" test "$@"
