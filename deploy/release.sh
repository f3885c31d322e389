#!/usr/bin/env bash
# What is handed on: hadron-hub, hadron-agent and hadron, built so that anybody who builds the same commit with the same
# toolchain gets the same bytes, a bill of materials (CycloneDX) of each, and SHA256SUMS.
set -euo pipefail
cd "$(dirname "$0")/.."
usage() {
    cat <<'END'
Usage: deploy/release.sh [--out DIR] [--check] [--no-sbom]

  --out DIR   where it all goes [default: dist]
  --check     build once more, from a copy in another place with another target directory, and compare:
              says which program differs, if one does, and ends with 1 then. Takes twice the time.
  --no-sbom   no bills of materials (they need cargo-cyclonedx, which is built into .tools/ otherwise)

Two first builds of everything take the better part of an hour on two cores (77 minutes of CPU). The commit must be clean: what is not committed
cannot be built again by others.
END
}
out=dist check='' sbom=1
while [ $# -gt 0 ]; do
    case $1 in
    --out) out=${2:?--out takes a directory}; shift ;;
    --check) check=1 ;;
    --no-sbom) sbom='' ;;
    -h | --help) usage; exit 0 ;;
    *) echo "error: '$1' is not known" >&2; usage >&2; exit 2 ;;
    esac
    shift
done
need() { command -v "$1" >/dev/null 2>&1 || { echo "error: $1 is missing: $2" >&2; exit 1; }; }
need cargo "install Rust from your distribution or with rustup"
need cc "install a C compiler (Debian: apt-get install build-essential)"
need git "install git (Debian: apt-get install git)"
if [ -n "$(git status --porcelain)" ]; then
    echo "error: there are changes that are not committed: commit or stash them, so that others can build the same" >&2
    exit 1
fi
root=$PWD
programs=(hadron-hub hadron-agent hadron)
# Times in what is made are those of the commit and not of the build.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH CARGO_INCREMENTAL=0

# build SOURCE TARGET: paths of this machine are written as others' would be, also by the compilers of C.
build() {
    local cargo_home=${CARGO_HOME:-$HOME/.cargo} separator=$'\x1f' flags='' pair
    local -a pairs=("$1=/hadron" "$2=/target" "$cargo_home=/cargo" "$(rustc --print sysroot)=/rust")
    local c_flags=''
    for pair in "${pairs[@]}"; do
        flags+="${flags:+$separator}--remap-path-prefix=$pair"
        c_flags+=" -ffile-prefix-map=$pair"
    done
    local -x CARGO_ENCODED_RUSTFLAGS=$flags CARGO_TARGET_DIR=$2 CFLAGS="${CFLAGS:-}$c_flags"
    (cd "$1" && cargo build --quiet --locked --release --bins -p hadron-management -p hadron-cli)
    # By itself: it is built small.
    (cd "$1" && cargo build --quiet --locked --profile release-agent --bins -p hadron-agent)
}

built() { # TARGET PROGRAM: where it is
    case $2 in
    hadron-agent) echo "$1/release-agent/$2" ;;
    *) echo "$1/release/$2" ;;
    esac
}

work=$(mktemp -d "${TMPDIR:-/tmp}/hadron-release.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
out=$(cd "$out" && pwd)
echo "building ${programs[*]} of $(git rev-parse --short HEAD)" >&2
target=${CARGO_TARGET_DIR:-$root/target}
build "$root" "$target/dist"
for program in "${programs[@]}"; do install -m 755 "$(built "$target/dist" "$program")" "$out/"; done

if [ -n "$sbom" ]; then
    tools=$root/.tools/cargo
    if ! PATH="$tools/bin:$PATH" cargo cyclonedx --version >/dev/null 2>&1; then
        echo "building cargo-cyclonedx into .tools/cargo (once, some minutes)" >&2
        cargo install --locked --quiet --root "$tools" cargo-cyclonedx@0.5.9
    fi
    git clone --quiet "$root" "$work/sbom"
    # It writes beside each manifest, so it gets a copy. One bill for each program, with what is linked into it.
    (cd "$work/sbom" && PATH="$tools/bin:$PATH" cargo cyclonedx --quiet --format json --spec-version 1.5 \
        --describe binaries --target "$(rustc -vV | sed -n 's/^host: //p')" 2>"$work/sbom.log") || { cat "$work/sbom.log" >&2; exit 1; }
    for program in "${programs[@]}"; do
        find "$work/sbom" -name "${program}_bin.cdx.json" -exec cp {} "$out/$program.cdx.json" \;
        [ -s "$out/$program.cdx.json" ] || { echo "error: cargo-cyclonedx wrote no bill for $program" >&2; exit 1; }
    done
fi
(cd "$out" && sha256sum "${programs[@]}" >SHA256SUMS)
cat "$out/SHA256SUMS"

if [ -n "$check" ]; then
    echo "building once more, somewhere else" >&2
    git clone --quiet "$root" "$work/somewhere-else/hadron"
    build "$work/somewhere-else/hadron" "$work/other-target"
    differ=''
    for program in "${programs[@]}"; do
        if cmp --quiet "$out/$program" "$(built "$work/other-target" "$program")"; then
            echo "$program: the same" >&2
        else
            echo "$program: DIFFERS" >&2
            differ=1
        fi
    done
    [ -z "$differ" ] || { echo "error: the build is not reproducible: compare the programs with diffoscope" >&2; exit 1; }
fi
