#!/usr/bin/env bash
# Makes sure that Debian packages are there: hack/need.sh PACKAGE...
# Root gets the missing ones installed by apt-get; anybody else is told what to install.
set -euo pipefail

# Whether what a package is wanted for is there, however it came: most machines are not Debian.
present() {
	case $1 in
	ca-certificates) # any of the places Go looks at; SSL_CERT_FILE and macOS count too
		[ -n "${SSL_CERT_FILE:-}${SSL_CERT_DIR:-}" ] || [ "$(uname)" = Darwin ] ||
			[ -s /etc/ssl/certs/ca-certificates.crt ] || [ -s /etc/pki/tls/certs/ca-bundle.crt ] || [ -s /etc/ssl/cert.pem ]
		;;
	prometheus) command -v prometheus >/dev/null && command -v promtool >/dev/null ;;
	prometheus-alertmanager) command -v prometheus-alertmanager >/dev/null && command -v amtool >/dev/null ;;
	postgresql) # the server's programs, which Debian keeps out of the PATH
		command -v postgres >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null ||
			compgen -G '/usr/pgsql-*/bin/postgres' >/dev/null || compgen -G '/opt/homebrew/opt/postgresql@*/bin/postgres' >/dev/null
		;;
	pgbouncer) command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] ;; # not in the PATH of everybody
	*) command -v "$1" >/dev/null ;;
	esac
}

missing=()
for package in "$@"; do
	present "$package" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "missing: ${missing[*]}. Please install them, on Debian with: sudo apt-get install ${missing[*]}" >&2
	exit 1
fi
# A package that brings a service would start it. What is installed here is run by the tests only.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod +x $policy
	trap 'rm -f $policy' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
{
	apt-get update -q
	if [[ " ${missing[*]} " == *" postgresql "* ]]; then
		# Tests start servers of their own: no cluster is made, and none is started.
		apt-get install -qy --no-install-recommends postgresql-common
		sed -i -E 's/^#? *create_main_cluster *=.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
	fi
	apt-get install -qy --no-install-recommends "${missing[@]}"
} </dev/null >&2
