#!/usr/bin/env bash
# Prints the folder that holds etcd, kube-apiserver and kubectl for tests and the demo, and makes it
# when there is none: KUBEBUILDER_ASSETS, else this script's cache, else a download by setup-envtest,
# else a build from the modules that go.mod beside this file pins (about five minutes on two cores,
# once a machine). Everything it says goes to standard error; standard output is the folder alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

K8S_VERSION=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
CACHE=${TANGGAP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tanggap}
ASSETS=$CACHE/controlplane/$K8S_VERSION-$(go env GOOS)-$(go env GOARCH)

complete() { [ -x "$1/etcd" ] && [ -x "$1/kube-apiserver" ] && [ -x "$1/kubectl" ]; }
say() { printf 'controlplane: %s\n' "$*" >&2; }

# Ends the script with the folder when that holds all three.
use() {
	if complete "$1"; then
		echo "$1"
		exit 0
	fi
}

if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
	use "$KUBEBUILDER_ASSETS"
	say "KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS lacks one of etcd, kube-apiserver, kubectl; ignored"
fi
use "$ASSETS"

mkdir -p "$ASSETS"
exec 9>"$ASSETS.lock"
flock 9 # two targets started at once build it once
use "$ASSETS"

say "looking for a prebuilt control plane $K8S_VERSION (setup-envtest)"
if downloaded=$(timeout 120 go run -mod=mod sigs.k8s.io/controller-runtime/tools/setup-envtest@v0.25.1 \
	use "${K8S_VERSION#v}" --bin-dir "$CACHE/envtest" -p path 2>/dev/null) && complete "$downloaded"; then
	cp "$downloaded"/{etcd,kube-apiserver,kubectl} "$ASSETS/"
	echo "$ASSETS"
	exit 0
fi

minor=${K8S_VERSION#v1.}
minor=${minor%%.*}
ldflags="-s -w -X k8s.io/component-base/version.gitVersion=$K8S_VERSION -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$minor"
say "none to be had; building kube-apiserver, etcd and kubectl from Go modules (about five minutes, once)"
build=$(mktemp -d "$CACHE/controlplane/build.XXXXXX")
trap 'rm -rf "$build"' EXIT
CGO_ENABLED=0 go build -trimpath -ldflags "$ldflags" -o "$build/" k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kubectl
CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o "$build/etcd" go.etcd.io/etcd/server/v3
mv "$build"/{etcd,kube-apiserver,kubectl} "$ASSETS/"
say "built into $ASSETS"
echo "$ASSETS"
