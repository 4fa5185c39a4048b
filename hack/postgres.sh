#!/usr/bin/env bash
# Prints the folder with the programs of a PostgreSQL server of a major version, pinned in hack/postgres, and
# fetches them first when this machine has none of that version: hack/postgres.sh 16|17|18
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/postgres"

version=${1:-}
if ! grep -q "\"postgresql-$version\"" package.json; then
	echo "usage: hack/postgres.sh 16|17|18" >&2
	exit 2
fi
cache=${TANGGAP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tanggap}
# The server refuses to be root: another user must be able to read it.
[ "$(id -u)" != 0 ] || cache=/var/cache/tanggap
folder=$cache/postgres/$(sha256sum package-lock.json | cut -c -16)
if [ ! -d "$folder/node_modules" ]; then
	rm -rf "$folder.part"
	mkdir -p "$folder.part"
	cp package.json package-lock.json "$folder.part"
	npm ci --prefix "$folder.part" --ignore-scripts --no-audit --no-fund >&2
	for module in "$folder.part"/node_modules/postgresql-*; do
		(cd "$module" && node scripts/hydrate-symlinks.js >&2) # a package of npm holds no links
	done
	chmod -R a+rX "$cache/postgres"
	rm -rf "$folder"
	mv "$folder.part" "$folder"
fi
echo "$folder/node_modules/postgresql-$version/native/bin"
