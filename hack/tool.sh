#!/usr/bin/env bash
# Prints the path of a pinned tool and builds it first when this machine has none of that version:
#   hack/tool.sh controller-gen|golangci-lint|image|shfmt
# Binaries live outside the tree, in a folder named by the hash of what they are built from. Everything
# it says goes to standard error; standard output is the path alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

case ${1:-} in
controller-gen) module=tools package=sigs.k8s.io/controller-tools/cmd/controller-gen ;;
shfmt) module=tools package=mvdan.cc/sh/v3/cmd/shfmt ;;
golangci-lint) module=golangci-lint package=. ;;
image) module=image package=. ;;
*)
	echo "usage: hack/tool.sh controller-gen|golangci-lint|image|shfmt" >&2
	exit 2
	;;
esac

# A tool runs on this machine, whatever the target asks Go to build for.
unset GOOS GOARCH GOFLAGS
cd "$module"
cache=${TANGGAP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tanggap}/tools
# The compiler's version counts: golangci-lint refuses to read code for a newer Go than its own.
hash=$({
	go env GOVERSION GOOS GOARCH
	find . -name '*.go' -o -name 'go.*' | LC_ALL=C sort | xargs sha256sum
} | sha256sum | cut -c -16)
binary=$cache/$hash/$1
if [ ! -x "$binary" ]; then
	echo "building $1" >&2
	mkdir -p "$cache/$hash"
	building=$(mktemp "$cache/$hash/$1.XXXXXX")
	trap 'rm -f "$building"' EXIT
	CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags '-s -w' -o "$building" "$package" >&2
	mv "$building" "$binary"
fi
echo "$binary"
