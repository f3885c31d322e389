#!/usr/bin/env bash
# The main job on an emulated AWS with three accounts. `./deploy/demo.sh --help` tells what can be chosen.
set -euo pipefail
cd "$(dirname "$0")/.."
xtask="${CARGO_TARGET_DIR:-target}/debug/xtask"
# Ending what runs needs no build.
if [ "${1-}" = --stop ] && [ -x "$xtask" ]; then exec "$xtask" demo "$@"; fi
need() { command -v "$1" >/dev/null 2>&1 || { echo "error: $1 is missing: $2" >&2; exit 1; }; }
need cargo "install Rust from your distribution or with rustup"
need cc "install a C compiler (Debian: apt-get install build-essential)"
python="install Python 3.11 or later with venv (Debian: apt-get install python3 python3-venv)"
need python3 "$python"
python3 -c 'import ensurepip, sys, venv; assert sys.version_info >= (3, 11)' 2>/dev/null || { echo "error: $python" >&2; exit 1; }
quiet=--quiet
[ -x "$xtask" ] || { echo "building; the first time takes some minutes" >&2; quiet=; }
cargo build $quiet --locked --workspace --bins
exec "$xtask" demo "$@"
