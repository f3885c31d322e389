#!/usr/bin/env bash
# The main job on an emulated AWS with three accounts. `./deploy/demo.sh --help` tells what can be chosen.
set -euo pipefail
cd "$(dirname "$0")/.."
need() { command -v "$1" >/dev/null 2>&1 || { echo "error: $1 is missing: $2" >&2; exit 1; }; }
need cargo "install Rust from your distribution or with rustup"
need cc "install a C compiler (Debian: apt-get install build-essential)"
need python3 "install Python 3.11 or later with venv (Debian: apt-get install python3 python3-venv)"
xtask="${CARGO_TARGET_DIR:-target}/debug/xtask"
quiet=--quiet
[ -x "$xtask" ] || { echo "building; the first time takes some minutes" >&2; quiet=; }
cargo build $quiet --locked --workspace --bins
exec "$xtask" demo "$@"
