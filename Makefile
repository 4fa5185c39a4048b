# What a developer types; `make` alone lists it. Every target works on a machine that has Go, make and
# bash; the tools it needs are built once, from the versions pinned below hack/, into the user's cache.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# One setting for everything: the tests, the linter and the demo share the compiler's cache, and what is
# tested is linked the way it is shipped.
export CGO_ENABLED ?= 0

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
# The time the image claims to be made at: that of the commit, so that the same commit gives the same bytes.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
IMAGE     ?= ghcr.io/tanggap/tanggap:$(VERSION)
PLATFORMS ?= linux/amd64 linux/arm64
# How long the demo runs before it judges itself and ends, such as 90s; empty: until Ctrl-C.
DEMO_FOR  ?=
# See bin/intake -help.
INTAKE_FLAGS ?= -variants embedded,postgres,benthos -output docs/benchmarks/intake.md
# See bin/large -help: fewer -cases take less time, and 2 KiB of disk each.
LARGE_FLAGS ?= -output docs/benchmarks/large.md
# See bin/soak -help: -for is how long deliveries come in on each storage.
SOAK_FLAGS ?= -output docs/benchmarks/soak.md
# Those that hack/postgres.sh fetches; the other tests take the newest that is installed.
POSTGRES_VERSIONS ?= 16 17 18
# -seed repeats the choices of a run.
CHAOS_FLAGS ?= -rounds 200 -output $(CURDIR)/docs/benchmarks/chaos.md
# -count=1 runs the tests even when nothing changed since they passed.
E2E_FLAGS ?= -count=1

# -buildvcs=false: the version comes from VERSION; Go's own stamp fails in a clone owned by another user.
GO_BUILD := go build -buildvcs=false
LDFLAGS  := -s -w -X main.version=$(VERSION)

# The packages whose cost is part of their promise.
BENCH_PACKAGES := $(addsuffix /...,$(wildcard ./internal/calendar ./internal/sla ./internal/taxonomy ./internal/expr ./internal/ledger ./internal/metrics))

SCRIPTS := .ci/run $(wildcard hack/*.sh hack/*/*.sh)

# All that `make generate` writes. A new generator is one more target in GENERATORS and its output here.
GENERATORS := generate-api generate-rbac generate-docs generate-metrics-docs generate-rules generate-dashboards
GENERATED  := api/v1alpha1/zz_generated.deepcopy.go api/v1alpha1/applyconfiguration config/crd/bases config/rbac/role.yaml docs/api.md docs/metrics.md docs/conditions.md config/prometheus/prometheusrule.yaml config/grafana/dashboards

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: build
build: ## Build bin/tanggap
	@mkdir -p bin
	$(GO_BUILD) -ldflags '$(LDFLAGS)' -o bin/tanggap ./cmd/tanggap

.PHONY: demo
demo: network build ## Run a whole city here: control plane, operator, simulators (DEMO_FOR=90s ends by itself)
	$(GO_BUILD) -o bin/demo ./test/demo
	@assets=$$(hack/controlplane/build.sh); exec bin/demo --assets "$$assets" --tanggap bin/tanggap $(if $(DEMO_FOR),--for $(DEMO_FOR))

.PHONY: test
test: network alerting postgresql pooler ## Run all tests but e2e-alerts, against a real kube-apiserver where Kubernetes matters
	@assets=$$(hack/controlplane/build.sh); export KUBEBUILDER_ASSETS="$$assets"; set -x; go test -timeout 20m $$(go list ./... | grep -v /test/alerts$$)

.PHONY: test-postgres
test-postgres: network ## Run the tests of the PostgreSQL storage on each version of POSTGRES_VERSIONS (linux/amd64, needs npm)
	@for version in $(POSTGRES_VERSIONS); do \
		programs=$$(hack/postgres.sh $$version); echo "PostgreSQL $$version"; \
		TANGGAP_POSTGRES="$$programs" go test -count=1 -timeout 20m ./internal/ledger/store/postgres ./test/postgres; \
	done

.PHONY: e2e
e2e: network postgresql ## Run only the end-to-end tests, even when nothing changed
	@assets=$$(hack/controlplane/build.sh); export KUBEBUILDER_ASSETS="$$assets"; set -x; go test $(E2E_FLAGS) -timeout 20m ./test/e2e/...

.PHONY: e2e-alerts
e2e-alerts: network alerting ## Run only the test of what people are told, with a real Prometheus and Alertmanager
	@assets=$$(hack/controlplane/build.sh); export KUBEBUILDER_ASSETS="$$assets"; set -x; go test $(E2E_FLAGS) -v -timeout 20m ./test/alerts/...

.PHONY: test-hack
test-hack: network ## Run the tests of the build helpers, which are modules of their own
	cd hack/image && go vet ./... && go test ./...

.PHONY: bench
bench: bench-packages bench-intake ## Run all benchmarks that take minutes, and write docs/benchmarks/intake.md

.PHONY: bench-packages
bench-packages: network postgresql ## Run the benchmarks of the packages whose cost is part of their promise
	go test -run '^$$' -bench . -benchmem $(BENCH_PACKAGES)

.PHONY: bench-intake
bench-intake: network postgresql build ## Measure deliveries through worker and ledger against the durable limit (INTAKE_FLAGS)
	$(GO_BUILD) -o bin/intake ./test/bench/intake
	cd hack/benthos && $(GO_BUILD) -o ../../bin/benthos .
	bin/intake $(INTAKE_FLAGS)

.PHONY: bench-large
bench-large: network postgresql build ## Measure ten million open cases on PostgreSQL (LARGE_FLAGS), and write docs/benchmarks/large.md
	$(GO_BUILD) -o bin/large ./test/bench/large
	bin/large $(LARGE_FLAGS)

.PHONY: soak
soak: network postgresql build ## Run on tables with a million cases for minutes and see that nothing goes on growing (SOAK_FLAGS), and write docs/benchmarks/soak.md
	$(GO_BUILD) -o bin/soak ./test/bench/soak
	bin/soak $(SOAK_FLAGS)

.PHONY: chaos
chaos: network postgresql ## Kill and freeze processes, fill the disk and cut connections under load (CHAOS_FLAGS), and write docs/benchmarks/chaos.md
	go test -count=1 -timeout 2h -v ./test/chaos -args $(CHAOS_FLAGS)

.PHONY: lint
lint: network ## Check style and architecture (.golangci.yml), the API's conventions, the scripts and go.mod
	@shfmt=$$(hack/tool.sh shfmt); set -x; "$$shfmt" -d $(SCRIPTS)
	@lint=$$(hack/tool.sh golangci-lint); set -x; "$$lint" run ./...; cd hack/image; "$$lint" run
	go mod tidy -diff

.PHONY: generate
generate: network $(GENERATORS) ## Make everything that is generated

.PHONY: generate-api
generate-api:
	@gen=$$(hack/tool.sh controller-gen); set -x; \
	"$$gen" object crd:generateEmbeddedObjectMeta=false applyconfiguration paths=./api/... output:crd:artifacts:config=config/crd/bases

.PHONY: generate-rbac
generate-rbac:
	@gen=$$(hack/tool.sh controller-gen); set -x; \
	"$$gen" rbac:roleName=tanggap-operator paths=./controllers/... output:rbac:artifacts:config=config/rbac

.PHONY: generate-rules
generate-rules:
	go run ./hack/genrules config/prometheus/rules.yaml config/prometheus/prometheusrule.yaml

.PHONY: generate-dashboards
generate-dashboards:
	go run ./hack/gendashboards config/grafana/dashboards

.PHONY: generate-docs
generate-docs: generate-api
	go run ./hack/gendocs config/crd/bases docs/api.md

.PHONY: generate-metrics-docs
generate-metrics-docs:
	go run ./hack/genmetrics config/samples/depok docs/metrics.md
	go run ./hack/genconditions api/v1alpha1/conditions.go docs/conditions.md

.PHONY: verify-generate
verify-generate: network ## Fail when something generated is not what its generator makes now
	@hack/verify-generate.sh $(GENERATED)

.PHONY: image
image: network ## Build the image for PLATFORMS as the OCI archive dist/tanggap-image.tar, without a Docker engine
	@mkdir -p dist
	@for platform in $(PLATFORMS); do set -x; \
		CGO_ENABLED=0 GOOS=$${platform%/*} GOARCH=$${platform#*/} $(GO_BUILD) -trimpath -ldflags '$(LDFLAGS)' -o "dist/$$platform/tanggap" ./cmd/tanggap; \
	done
	@image=$$(hack/tool.sh image); set -x; \
	SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) "$$image" --reference $(IMAGE) --version $(VERSION) --revision $(REVISION) \
		$(foreach platform,$(PLATFORMS),--binary $(platform)=dist/$(platform)/tanggap) --output dist/tanggap-image.tar

.PHONY: clean
clean: ## Remove what was built here (the tools and the control plane stay in the user's cache)
	rm -rf bin dist

# Whatever downloads modules needs certificates to trust.
.PHONY: alerting
alerting:
	@hack/need.sh prometheus prometheus-alertmanager

.PHONY: postgresql
postgresql:
	@hack/need.sh postgresql

.PHONY: pooler
pooler:
	@hack/need.sh pgbouncer

.PHONY: network
network:
	@hack/need.sh ca-certificates
