#!/usr/bin/env bash
# Fails when something generated is not what its generator makes of this tree:
#   hack/verify-generate.sh GENERATED_PATH...
# It works on a copy without those paths, so that the tree stays as it is and a leftover file that no
# generator writes any more is found too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
tar --exclude=./.git --exclude=./bin --exclude=./dist -cf - . | tar -xf - -C "$copy"
(cd "$copy" && rm -rf "$@")
make --no-print-directory -C "$copy" generate

drift=0
for path in "$@"; do
	diff --recursive --unified --new-file "$path" "$copy/$path" || drift=1
done
if [ $drift = 1 ]; then
	echo "what is generated is not up to date (- in the tree, + as generated now): run 'make generate' and commit" >&2
	exit 1
fi
echo "verify-generate: $# generated paths are up to date"
