# Entente's build. `make help` lists the targets.

SHELL       := bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS   += --no-print-directory
.DEFAULT_GOAL := help

# One setting for everything that is not a race build, so that all commands share one build cache. Shipped binaries need no C library.
export CGO_ENABLED := 0

VERSION ?= $(shell git describe --tags --exact-match --dirty=.dirty 2>/dev/null || echo "v0.1.0-dev+$$(git describe --always --abbrev=12 --exclude='*' --dirty=.dirty 2>/dev/null || echo unknown)")
LDFLAGS := -s -w -X github.com/entente-mesh/entente/internal/version.stamped=$(VERSION)

# The Envoys on which the doors of a gateway are tried: the oldest, one that ignores what it does not know, the newest.
ENVOYS  ?= 1.36.4 1.38.3 1.40.0

# What goes into a test run beside the packages: a whole binary, and one without Kubernetes under the race detector.
BIN      := $(CURDIR)/bin
TOOL     := go tool -modfile=$(CURDIR)/tools/go.mod
GO_FILES  = $(shell git ls-files --cached --others --exclude-standard '*.go' | grep -v -E '(\.pb\.go|zz_generated[^/]*\.go)$$')

.PHONY: help build lite coredns check lint format fresh test bench fuzz generate golden envoy clean

help: ## list the targets
	@sed -nE 's/^([a-z]+):.*## (.*)/  \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

build: ## build bin/entente, with an Envoy beside it (the first build compiles Kubernetes: 8 minutes on 2 cores; later ones link in seconds)
	go build -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/entente
	@envoy=$$(deploy/envoy/find) && ln -sfn "$$envoy" $(BIN)/envoy || echo "no Envoy: the node will run without a gateway only (entente.gateway.enabled: false)"

coredns: ## build bin/coredns: a stock CoreDNS with the plugin entente
	go build -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/coredns
	@$(BIN)/coredns -plugins | grep -qw entente

lite: ## build bin/entente-lite: without Kubernetes, under the race detector, for the story tests
	CGO_ENABLED=1 go build -race -tags lite -o $(BIN)/entente-lite ./cmd/entente

check: lint fresh test ## all that must pass before a commit: lint, generated files fresh, tests

lint: ## format, vet, staticcheck, import rules
	@unformatted=$$($(TOOL) gofumpt -l $(GO_FILES)); [ -z "$$unformatted" ] || { echo "not formatted (run: make format):"; echo "$$unformatted"; exit 1; }
	go vet ./...
	go vet -tags lite ./...
	cd benchmarks && go vet ./...
	$(TOOL) staticcheck -tags lite ./...
	go test -count=1 ./internal/archtest

format: ## format the Go code
	$(TOOL) gofumpt -w $(GO_FILES)

fresh: ## fail when generated files differ from what `make generate` makes
	@before=$$(git status --porcelain; git diff | sha256sum); $(MAKE) generate; after=$$(git status --porcelain; git diff | sha256sum); \
	[ "$$before" = "$$after" ] || { echo "generated files were stale; commit what make generate has written:"; git status --short; exit 1; }

# The race detector for everything that does not link Kubernetes; what does is tested through bin/entente.
test: build lite ## run all tests, on a real API server and real Envoys
	CGO_ENABLED=1 ENVOY=$$(deploy/envoy/find) ENVOY_VERSIONS='$(ENVOYS)' ENTENTE_BIN=$(BIN)/entente ENTENTE_LITE_BIN=$(BIN)/entente-lite go test -race -tags lite -timeout 20m $(TESTFLAGS) ./...
	cd tools && go test ./...
	cd benchmarks && ENVOY=$$(../deploy/envoy/find) ENTENTE_BIN=$(BIN)/entente go test ./...

bench: build ## run the benchmarks beside their peers and print the tables
	cd benchmarks && ENTENTE_BIN=$(BIN)/entente go run ./cluster $(BENCHFLAGS)
	cd benchmarks && ENVOY=$$(../deploy/envoy/find) ENTENTE_BIN=$(BIN)/entente go run ./mesh
	cd benchmarks && ENVOY=$$(../deploy/envoy/find) ENTENTE_BIN=$(BIN)/entente go run ./gateway
	cd benchmarks && go run ./xds
	cd benchmarks && go run ./dns

FUZZTIME ?= 30s
fuzz: build ## fuzz each parser of foreign bytes for FUZZTIME, and run the long forms of the story tests
	@for target in $$(grep -rl --include='*_test.go' '^func Fuzz' . | xargs -r grep -oHE '^func Fuzz[A-Za-z0-9_]+' | sed -E 's/^\.\/(.*)\/[^/]*:func (.*)/\1:\2/'); do \
		echo "fuzz $$target"; CGO_ENABLED=1 go test -tags lite -run '^$$' -fuzz "^$${target#*:}$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "./$${target%%:*}"; done
	CGO_ENABLED=1 ENVOY=$$(deploy/envoy/find) ENVOY_VERSIONS='$(ENVOYS)' ENTENTE_BIN=$(BIN)/entente ENTENTE_LITE_BIN=$(BIN)/entente-lite ENTENTE_LONG=1 go test -race -tags lite -timeout 60m -count=1 ./test/... ./mesh/... ./xds/... ./dns/...
	@for version in $$(deploy/envoy/find --versions); do echo "the stories on Envoy $$version"; \
		CGO_ENABLED=1 ENVOY=$$(deploy/envoy/find --version $$version) ENTENTE_BIN=$(BIN)/entente go test -race -tags lite -count=1 ./test/mesh || exit 1; done

generate: ## write generated code: deep copies, CRDs, protobuf
	go generate ./...

golden: ## rewrite the golden files; read the difference like code
	CGO_ENABLED=1 GOLDEN_UPDATE=1 go test -tags lite ./api/... ./internal/config/... ./cluster/... ./mesh ./xds/bootstrap ./xds/translate

envoy: ## find an Envoy that Entente accepts, or fetch the pinned one; prints its path
	@deploy/envoy/find

clean: ## remove what the build made (not Go's own cache)
	rm -rf $(BIN) .cache
