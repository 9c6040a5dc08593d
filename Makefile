# The front door. `make` alone prints the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.PHONY: help try try-full try-bare try-python try-node selftest foreign test browser-test kind-test kind-selftest kind-repeat kind-kill kind-bystander kind-foreign kind-init kind-noise kind-observability kind-operator kind-operator-soak kind-operator-upgrade kind-pipelines kind-up kind-down images lint fmt deny semver bench fuzz soak generate

help: ## Print the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 22

try: ## The gate without a cluster: our service on this machine, a verdict in minutes
	examples/try.sh try

try-full: ## The same with the times of the service's contract
	examples/try.sh try-full

try-bare: ## The same on the build without the pillars: NO-GO (exit 1)
	examples/try.sh try-bare

try-python: ## A Python service as it was first shipped, and repaired: NO-GO, then GO (examples/python-service)
	examples/other.sh python

try-node: ## The same in Node (examples/node-service)
	examples/other.sh node

selftest: ## The gate's own proof on this machine: builds with one mistake each (about 45 min); CASES="NAME..." for some
	validator/tests/processes.sh flaws $(CASES)

foreign: ## The gate on this machine on services not made for it (about 25 min); CASES="NAME..." for some
	validator/tests/processes.sh foreign $(CASES)

test: ## All tests that need no cluster; installs Postgres and Redis where they are missing
	service/tests/backends.sh
	service/tests/all.sh
	charts/test.sh

browser-test: ## Opens the reports in headless Chromium: links, contrast, screen readers, phones (about 2 min)
	validator/tests/browser.sh

kind-test: ## The gate in a real kind cluster, on the good build and on the bare one; from nothing
	cluster/kind-test.sh

kind-selftest: ## The gate on builds with one mistake each, and on two good ones of another kind (about 40 min)
	cluster/kind-selftest.sh

kind-repeat: ## The gate on the good build five times in a row (about 35 min)
	cluster/kind-repeat.sh

kind-foreign: ## The gate on services not made for it; CASES="NAME..." for some (all: about 1 h 15 min)
	cluster/kind-foreign.sh $(CASES)

kind-init: ## `validator init` on deployments that were not made for it, and `plan` on what it writes (about 4 min)
	cluster/kind-init.sh $(CASES)

kind-noise: ## The gate while every core is burnt: never NO-GO for the good build; RUNS of it (default 5, about 1 h)
	cluster/kind-noise.sh $(RUNS)

kind-kill: ## The validator killed with -9 at random moments, TIMES (default 3, about 30 min; GOLIVE_JOBS=2 TIMES=20: the whole proof)
	cluster/kill-test.sh $(TIMES)

kind-bystander: ## Another client of the same Postgres looks on through a whole gate (about 8 min)
	cluster/bystander.sh

kind-observability: ## Every query of rules and dashboards on data of a real run, and the collector's promise on its traces (about 7 min)
	cluster/kind-observability.sh

kind-operator: ## Operator and webhook of charts/validator on the good and the bare build, killed and deleted in mid-run (about 30 min)
	cluster/kind-operator.sh

kind-operator-upgrade: ## CRDs of the last release with objects, then those of now and the chart: nothing lost (about 1 min)
	cluster/kind-operator-upgrade.sh

kind-operator-soak: ## The operator with 200 checks through RECONCILES (default 10000): memory flat, no write without a change (about 5 min)
	cluster/kind-operator-soak.sh $(RECONCILES)

kind-pipelines: ## The plain Job and the Helm hook of docs/pipelines (about 15 min)
	cluster/kind-pipelines.sh

kind-up: ## Start the cluster (engine, images, kind), or do nothing if it is up
	cluster/up.sh

kind-down: ## Remove the cluster, restore the host's sysctls, stop the engine we started
	cluster/down.sh

images: ## Build our images and load them into the cluster
	cluster/build.sh binaries
	cluster/build.sh images

lint: ## Formatting, clippy without warnings, no circle of modules, the pillars by feature with docs and package, generated files up to date
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	if command -v python3 >/dev/null; then pillars/circles.py; else echo 'SKIPPED: circles of modules, there is no python3'; fi
	pillars/features.sh
	RUSTDOCFLAGS=-Dwarnings cargo doc --quiet --locked --no-deps --all-features -p golive-pillars
	cargo package --quiet --locked --allow-dirty --no-verify -p golive-pillars
	$(MAKE) --no-print-directory generate
	git diff --exit-code -- docs/checks.md docs/report.schema.json docs/golive.schema.json docs/policy.schema.json docs/org-checklist.md charts/validator

fmt: ## Format the code
	cargo fmt --all

deny: ## Licences, bans, sources; advisories where their database can be had
	cluster/deny.sh

semver: ## Whether the API of the pillars breaks with that of main; skipped where the tool cannot be had
	pillars/semver.sh

bench: ## Benchmarks: criterion, and whole processes beside their peer
	service/tests/backends.sh
	service/benches/valgrind.sh
	cargo build --locked --release -p golive-service --examples
	cargo bench --locked --workspace

fuzz: ## Fuzz what strangers send, to the service and past the agents; RUNS inputs each (default 200000) from a fixed seed
	service/fuzz/run.sh

soak: ## The long tests (about 35 min and the build), in release builds
	service/tests/backends.sh
	ulimit -n "$$(ulimit -Hn)"; timeout 6000 cargo test --locked --release -p golive-service --test it -- --ignored --nocapture --test-threads 1
	cargo test --locked --release -p golive-validator --lib -- --ignored --nocapture

generate: ## Write generated files: the catalogue of checks, JSON Schemas, the organisation's checklist, CRDs
	cargo build --quiet --locked --workspace --bins
	for made in "checks.md checks --format markdown" "report.schema.json schema report" "golive.schema.json schema target" "policy.schema.json schema policy" "org-checklist.md policy checklist examples/policy.yaml" \
	    "../charts/validator/crds/golive.yaml crds" "../charts/validator/files/role.yaml rbac"; do \
	  set -- $$made; file=docs/$$1; shift; "$${CARGO_TARGET_DIR:-target}/debug/validator" "$$@" > $$file.new; mv $$file.new $$file; done
