# make run    build and start the demo: a sample provider and a test carrier, on loopback
# make test   install what the tests need (as root) and run all of them
# make soak   play calls, restarts, clock steps and node deaths for an hour; SOAK=10m for as long, SEED=n for the same again
# make check  make test, the linters, and a little fuzzing
# make geo    fetch the free table of countries by address (npm), with ASN=1 that of AS numbers too, and say how to use them
# make bench  measure beside Kamailio; writes bench/results/
GO     ?= go
TOOL   := $(GO) tool -modfile=tools/go.mod
# The product is built without cgo, so that the binary runs on any Linux.
BUILD  := CGO_ENABLED=0 $(GO) build -trimpath

.PHONY: run build test check lint fmt fuzz bench clean unit e2e soak deps geo screenshots

run: build
	bin/ringfence serve --demo

build:
	@mkdir -p bin
	$(BUILD) -o bin/ringfence ./cmd/ringfence

test: deps unit e2e

deps:
	@tools/deps.sh test

# CI makes the tests that need PostgreSQL fail instead of skip when it is not there: deps has just seen to it.
unit:
	CI=1 $(GO) test -race -timeout 10m ./...

e2e: build
	CI=1 SEED=7 RINGFENCE_BINARY=$(CURDIR)/bin/ringfence $(GO) test -tags e2e -count=1 -timeout 10m -p 1 ./e2e/...

soak:
	@tools/deps.sh test
	CI=1 SOAK=$(or $(SOAK),1h) SEED=$(SEED) $(GO) test -tags e2e -count=1 -v -timeout 0 ./e2e/soak

check: test lint fuzz

lint:
	@out=$$($(TOOL) gofumpt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "gofumpt would change:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(GO) vet -tags e2e ./e2e/...
	$(TOOL) staticcheck ./...
	$(TOOL) golangci-lint run ./...
	$(TOOL) golangci-lint run --build-tags e2e ./e2e/...

fmt:
	$(TOOL) gofumpt -w $$(git ls-files '*.go')

fuzz:
	@tools/fuzz.sh 5s

geo:
	@tools/geo.sh $(if $(ASN),--asn)

bench: build
	@tools/deps.sh bench
	$(GO) run ./bench $(BENCH)

clean:
	rm -rf bin
