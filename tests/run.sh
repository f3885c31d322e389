#!/usr/bin/env bash
# All tests. What follows is handed to `cargo nextest run`, a filter for instance: ./tests/run.sh connections
set -euo pipefail
cd "$(dirname "$0")/.."
need() { command -v "$1" >/dev/null 2>&1 || { echo "error: $1 is missing: $2" >&2; exit 1; }; }
need cargo "install Rust from your distribution or with rustup"
need cc "install a C compiler (Debian: apt-get install build-essential)"
need python3 "install Python 3.11 or later with venv (Debian: apt-get install python3 python3-venv)"
# The whole workspace at once, tests included: what the tests need is compiled once and not once more for this program.
cargo build --locked --workspace --all-targets --all-features
exec "${CARGO_TARGET_DIR:-target}/debug/xtask" test "$@"
