# Two commands matter: `make run` and `make test`. Both do all the set-up a fresh machine needs.
.DEFAULT_GOAL := help
PYTHON ?= python3
SEEDS ?= 50
BIN := .venv/bin
# Some machines forbid Python to keep what it has compiled: then each of the tests' hundreds of processes
# compiles it again, 1.2 s of CPU for a consumer.
unexport PYTHONDONTWRITEBYTECODE
# Tests make and delete many small files. ext4 then spends a third of the engine's CPU on looking for an inode that was
# not deleted just now; in memory that costs nothing, where there is room for it.
ifndef TMPDIR
IN_MEMORY := $(shell df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 8000000 { print "/dev/shm" }')
ifdef IN_MEMORY
test test-% chaos alerts attacks fuzz-api rolling: export TMPDIR = $(IN_MEMORY)
endif
endif

.PHONY: alerts tools help run setup test test-emit test-consume test-integration test-engine test-others test-unit chaos bench-emit check format lock schemas jars clean bench-ingest bench-refusals bench-query bench-freshness bench-fairness vegeta foreign-franz foreign-kafkajs test-clients test-siem clients-node clients-go clients-java clients-rust analysts lock-analysts test-analysts starlette-suite bench-reading bench-http-limits bench-tail bench-tail-request bench-export audit bench-issuer rolling growth soak images images-local compose-smoke compose-v2 helm release attacks fuzz-api lint-openapi ui ui-check questions

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: setup ## the whole pipeline in the foreground, with real sample requests
	@$(BIN)/activity run

# uv installs in 11 s of CPU what takes pip 81 (`time` of both, without a cache).
PIP = $(BIN)/python -m pip install --disable-pip-version-check --quiet
# uv does not read pip's configuration: which index that has is told to it.
UV = index="$${PIP_INDEX_URL:-$$($(BIN)/pip config get global.index-url 2>/dev/null)}"; $${index:+env UV_DEFAULT_INDEX="$$index"} $(BIN)/uv

setup: .venv/.stamp ## the virtual environment, from the lock file with hashes

.venv/.stamp: requirements.lock pyproject.toml ingest/pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "activity: Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "activity: installing the Python packages of requirements.lock ..."
	@sed -n '/^uv==/,/^[a-z]/{/^uv==/p;/^ /p;}' requirements.lock >.venv/uv.lock
	@$(PIP) --require-hashes --requirement .venv/uv.lock
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes --requirement requirements.lock || \
	  { echo "activity: uv could not; pip does it, as it is configured here" >&2; $(PIP) --require-hashes --requirement requirements.lock; }
	@$(PIP) --no-deps --no-build-isolation --editable ingest --editable .
	@touch $@

# promtool and prometheus, from Debian's package, which is unpacked and not installed: no rights are needed. Where
# apt cannot have it, the tests that need them say so and are left out.
tools: .venv/tools/promtool ## promtool and prometheus, fetched once by apt
.venv/tools/promtool:
	@mkdir -p .venv/tools/deb
	@if command -v promtool >/dev/null && command -v prometheus >/dev/null; then ln -sf "$$(command -v promtool)" "$$(command -v prometheus)" .venv/tools/; else \
	  cd .venv/tools/deb && { apt-get download -q prometheus >apt.log 2>&1 || { apt-get update -q >>apt.log 2>&1 && apt-get download -q prometheus >>apt.log 2>&1; }; } \
	  && dpkg-deb -x prometheus_*.deb . && mv usr/bin/promtool usr/bin/prometheus .. \
	  || echo "activity: no promtool here (apt: $$(tail -1 apt.log 2>/dev/null)); the tests of metrics and alerts that need it are left out" >&2; fi

jars: setup ## Apache Kafka's jars, fetched once by Maven
	@$(BIN)/python -m activity_deploy.kafka.jars

# Much of an integration test is waiting, so three parts run side by side: two cores are busy then, and more would only wait for them.
test: jars tools ## unit, SQL on the real engine, integration on real Kafka
	@$(MAKE) --no-print-directory -j3 test-consume test-integration test-emit test-others test-engine test-unit

test-emit: jars tools
	$(BIN)/python -m pytest tests/integration/emit tests/integration/api tests/integration/http

test-consume: jars tools
	$(BIN)/python -m pytest tests/integration/consume

test-integration: jars tools
	$(BIN)/python -m pytest tests/integration --ignore=tests/integration/emit --ignore=tests/integration/api \
	  --ignore=tests/integration/http --ignore=tests/integration/consume

test-engine: jars tools
	$(BIN)/python -m pytest tests/engine/api

test-others: jars tools
	$(BIN)/python -m pytest --ignore=tests/integration --ignore=tests/alerts --ignore=tests/unit --ignore=tests/engine/api --ignore=tests/siem

test-unit: jars tools
	$(BIN)/python -m pytest tests/unit

alerts: jars tools ## every alert: the real stack is broken in just that way, and promtool says what fires
	$(BIN)/python -m pytest tests/alerts

attacks: setup ## every value of the injection table for every parameter of every endpoint
	ACTIVITY_TEST_ALL_ATTACKS=1 $(BIN)/python -m pytest tests/engine/api/test_attack_tables.py

EXAMPLES ?= 300
fuzz-api: setup ## Schemathesis over the served document, on the real engine: EXAMPLES=300 per endpoint, twice
	ACTIVITY_TEST_FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/engine/api/test_api_fuzz.py

chaos: jars ## every fault, with SEEDS seeds, and each protection's control; AWAY=120: seconds away
	$(BIN)/python -m tests.chaos --seeds $(SEEDS) $(if $(AWAY),--away-s $(AWAY))

bench-ingest: jars ## our consumer against other ways into the same table
	@$(BIN)/python -m tests.bench.ingest $(if $(EVENTS),--events $(EVENTS)) $(if $(ROUNDS),--rounds $(ROUNDS))

# vegeta sends on time, whatever the answers do: latencies count from when a request was meant to go.
vegeta: setup
	@mkdir -p .state/bench-query/bin
	@command -v go >/dev/null || { echo "activity: this benchmark needs Go to build its load generator" >&2; exit 1; }
	@test -x .state/bench-query/bin/vegeta || GOBIN=$(CURDIR)/.state/bench-query/bin go install github.com/tsenart/vegeta/v12@v12.12.0

# The programs of the tests with foreign Kafka clients: made once, with the versions and hashes of their lock files.
FOREIGN := tests/integration/foreign

foreign-franz: .state/foreign/franz
.state/foreign/franz: $(wildcard $(FOREIGN)/franz/*)
	@mkdir -p $(@D)
	@cd $(FOREIGN)/franz && go build -mod=readonly -o $(CURDIR)/$@ .
	@touch $@

foreign-kafkajs: .state/foreign/kafkajs/send.mjs
.state/foreign/kafkajs/send.mjs: $(wildcard $(FOREIGN)/kafkajs/*)
	@mkdir -p $(@D)
	@cp $(FOREIGN)/kafkajs/*.json $(@D)
	@cd $(@D) && npm ci --silent --no-audit --no-fund --ignore-scripts
	@cp $(FOREIGN)/kafkajs/send.mjs $@

# The same for the clients that others talk to ClickHouse with.
CLIENTS := tests/clients

test-clients: setup ## ClickHouse's clients of five languages on the local engine: docs/clients.md
	ACTIVITY_TEST_ALL_CLIENTS=1 $(BIN)/python -m pytest $(CLIENTS)

test-siem: setup ## the feed followed by Debian's syslog-ng, killed at will: apt install syslog-ng-core syslog-ng-mod-python
	$(BIN)/python -m pytest tests/siem

clients-node: .state/clients/node/client.mjs
.state/clients/node/client.mjs: $(wildcard $(CLIENTS)/node/*)
	@mkdir -p $(@D)
	@cp $(CLIENTS)/node/*.json $(@D)
	@cd $(@D) && npm ci --silent --no-audit --no-fund --ignore-scripts
	@cp $(CLIENTS)/node/client.mjs $@

clients-go: .state/clients/go
.state/clients/go: $(wildcard $(CLIENTS)/go/*)
	@mkdir -p $(@D)
	@cd $(CLIENTS)/go && go build -mod=readonly -o $(CURDIR)/$@ .
	@touch $@

clients-java: .state/clients/java/.stamp
.state/clients/java/.stamp: $(CLIENTS)/java/pom.xml
	@mkdir -p $(@D)
	@mvn -q -B -f $< dependency:copy-dependencies -DoutputDirectory=$(CURDIR)/$(@D) -DincludeScope=runtime
	@touch $@

clients-rust: .state/clients/rust/.stamp
.state/clients/rust/.stamp: $(wildcard $(CLIENTS)/rust/Cargo.*) $(CLIENTS)/rust/src/main.rs
	@mkdir -p $(@D)
	@cd $(CLIENTS)/rust && CARGO_TARGET_DIR=$(CURDIR)/$(@D) cargo build --quiet --locked
	@touch $@

# The tools of analysts, in an environment of their own: the product needs none of them.
ANALYSTS := .state/analysts

analysts: $(ANALYSTS)/.stamp ## polars, pandas, DuckDB, SQLAlchemy, dbt, marimo in .state/analysts: docs/connect.md
$(ANALYSTS)/.stamp: analysts/requirements.lock | setup
	@echo "activity: installing the Python packages of $< ..."
	@$(UV) venv --quiet --allow-existing --python $(BIN)/python $(ANALYSTS)
	@$(UV) pip sync --quiet --python $(ANALYSTS) --require-hashes $<
	@touch $@

lock-analysts: setup ## renew analysts/requirements.lock after a change of requirements.in
	@$(UV) pip compile analysts/requirements.in --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-header --quiet --output-file analysts/requirements.lock

test-analysts: analysts ## docs/connect.md as it is pasted, the notebook, the dbt project, Grafana's SQL
	ACTIVITY_TEST_ANALYSTS=1 $(BIN)/python -m pytest tests/analysts

# Linters of npm, with the versions and hashes of their lock file; their exceptions stand beside it.
LINT := tests/contract/lint

lint-openapi: schemas/openapi.json .state/lint-openapi/node_modules ## Spectral and Redocly over the served document
	@cp $(LINT)/.spectral.yaml $(LINT)/redocly.yaml .state/lint-openapi
	@cd .state/lint-openapi && node_modules/.bin/spectral lint --fail-severity warn $(CURDIR)/$<
	@cd .state/lint-openapi && REDOCLY_TELEMETRY=off node_modules/.bin/redocly lint --max-problems 1000 $(CURDIR)/$<

.state/lint-openapi/node_modules: $(wildcard $(LINT)/package*.json)
	@mkdir -p $(@D)
	@cp $(LINT)/*.json $(@D)
	@cd $(@D) && npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

# The page at / of the read API. Its files are committed, so that nobody needs Node to install or to test it.
UI := query_api/ui
UI_BUILT := query_api/activity_api/ui/built
UI_BUILD = cp -r $(UI)/src $(UI)/build.mjs $(UI)/page.html $(UI)/tsconfig.json .state/ui && cd .state/ui && node_modules/.bin/tsc --noEmit && node build.mjs

ui: .state/ui/node_modules ## build the page at / of the read API from query_api/ui (needs Node)
	@rm -rf .state/ui/src && $(UI_BUILD) $(CURDIR)/$(UI_BUILT)

ui-check: .state/ui/node_modules ## the same beside it, and compare: the committed files are what its sources make
	@rm -rf .state/ui/src .state/ui/built && $(UI_BUILD) built >/dev/null
	@diff -r .state/ui/built $(UI_BUILT) && echo "activity: the page's files are what its sources make"

.state/ui/node_modules: $(wildcard $(UI)/package*.json)
	@mkdir -p $(@D)
	@cp $(UI)/package*.json $(@D)
	@cd $(@D) && npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

bench-freshness: jars vegeta ## from a request's answer to the API's list, at half of the maximum load
	@$(BIN)/python -m tests.bench.freshness

bench-fairness: vegeta ## one org's searches that take all the CPU, and the others' p99 beside them
	@$(BIN)/python -m tests.bench.fairness

bench-refusals: setup ## what refused messages cost the good ones beside them
	@$(BIN)/python -m tests.bench.refusals $(if $(EVENTS),--events $(EVENTS))

bench-http-limits: setup ## what servers do with clients that mean no good
	@$(BIN)/python -m tests.bench.http_limits

bench-query: vegeta ## our read API against the engine itself and a tutorial's API; BEFORE=DIR: and another commit's
	@$(BIN)/python -m tests.bench.query $(foreach rows,$(ROWS),--rows $(rows)) $(if $(BEFORE),--before $(BEFORE))

bench-issuer: setup ## known keys beside an issuer that hangs, drips, lies or is away for an hour
	@$(BIN)/python -m tests.bench.issuer

bench-reading: setup ## what it costs a read to be recorded, in CPU time
	@$(BIN)/python -m tests.bench.reading $(if $(ROUNDS),--rounds $(ROUNDS))

bench-tail: setup ## live tails on one process of the API: TAILS=1000 ORGS=1
	@$(BIN)/python -m tests.bench.tail $(if $(TAILS),--tails $(TAILS)) $(if $(ORGS),--orgs $(ORGS))

bench-tail-request: jars ## from a request's answer to the live tails that show it, through the whole stack
	@$(BIN)/python -m tests.bench.tail_request $(if $(TAILS),--tails $(TAILS))

bench-export: setup ## an export against the engine's own INTO OUTFILE; ROWS=1000000
	@$(BIN)/python -m tests.bench.export $(if $(ROWS),--rows $(ROWS))

rolling: jars ## three consumers replaced one after the other under load; RATE=300 events a second
	@$(BIN)/python -m tests.bench.rolling $(if $(RATE),--rate $(RATE))

growth: jars ## consumers, orgs, producers and rows, more of each; EVENTS=300000 ROWS="1000000 10000000"
	@$(BIN)/python -m tests.bench.growth $(if $(EVENTS),--events $(EVENTS)) $(foreach rows,$(ROWS),--rows $(rows))

MINUTES ?= 120
RESTART_S ?= 600
soak: jars ## hours under load with restarts: MINUTES=120 RESTART_S=600 RATE=1000 (half of the maximum)
	@$(BIN)/python -m tests.bench.soak --minutes $(MINUTES) --restart-s $(RESTART_S) $(if $(RATE),--rate $(RATE))

images: setup ## the three images, by the Docker engine that answers; BASE=IMAGE PREFIX=... TAG=...
	@BASE="$(BASE)" PREFIX="$(PREFIX)" TAG="$(TAG)" deploy/images/build.sh

# An engine and base images of its own where no registry can be reached: root, Debian, some minutes.
LOCAL_DOCKER_DIR ?= /var/tmp/local-docker
images-local: export DOCKER_HOST = unix://$(LOCAL_DOCKER_DIR)/docker.sock
images-local: jars ## the same without any registry, and Kafka's image, on a Docker engine of its own
	@LOCAL_DOCKER_DIR=$(LOCAL_DOCKER_DIR) deploy/images/local/build.sh

compose-smoke: export DOCKER_HOST = unix://$(LOCAL_DOCKER_DIR)/docker.sock
compose-smoke: setup ## compose.yaml on those images: up, loaded, killed, counted, down
	@$(BIN)/python -m tests.compose --local

# The last version that `go install` takes. compose-smoke uses it where it is; building takes some 10 minutes of CPU.
COMPOSE_VERSION := v2.32.4
compose-v2: .state/bin/docker-compose ## compose v2, built once from the Go module proxy, for compose-smoke
.state/bin/docker-compose:
	@mkdir -p $(@D)
	@command -v go >/dev/null || { echo "activity: compose v2 is built with Go, and there is none here" >&2; exit 1; }
	GOBIN=$(CURDIR)/$(@D) go install github.com/docker/compose/v2/cmd@$(COMPOSE_VERSION) && mv $(@D)/cmd $@

HELM_VERSION := v3.18.6
helm: .state/bin/helm ## helm, built once from the Go module proxy, for the chart's test
.state/bin/helm:
	@mkdir -p $(@D)
	@command -v go >/dev/null || { echo "activity: helm is built with Go, and there is none here" >&2; exit 1; }
	GOBIN=$(CURDIR)/$(@D) go install helm.sh/helm/v3/cmd/helm@$(HELM_VERSION)

release: setup ## wheels (built twice, compared), bill of materials, chart, sums: dist/; docs/release.md
	@deploy/release.sh build

AWAY_S ?= 30
bench-emit: jars ## what the middleware costs, under wrk; AWAY_S=600: the broker away for 10 minutes
	@$(BIN)/python -m tests.bench.emit --away-s $(AWAY_S)

starlette-suite: setup ## Starlette's own tests with the middleware around every application
	@$(BIN)/python -m tests.starlette_suite

check: setup ## lint, format, types, architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/unit/test_architecture.py

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

UV_LOCK = $(UV) pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-package activity-pipeline --no-emit-package activity-emit --no-header --quiet

lock: ## renew the lock files after a change of pyproject.toml: all of it, and of that what the images need
	@$(UV_LOCK) --extra dev --output-file requirements.lock
	@$(UV_LOCK) --extra redis --constraint requirements.lock --no-annotate --output-file requirements.runtime.lock
	@$(UV_LOCK) --extra local --constraint requirements.lock --no-annotate --output-file requirements.engine.lock

audit: setup ## the lock file against known advisories, without a network
	@$(BIN)/python -m tests.support.audit

schemas: setup ## write the generated documents anew: JSON Schema, OpenAPI, AsyncAPI, settings
	$(BIN)/python -m activity_schemas > schemas/activity-event.v1.schema.json
	$(BIN)/python -m activity_api openapi > schemas/openapi.json
	$(BIN)/python -m activity_consume asyncapi > schemas/asyncapi.json
	$(BIN)/python -m activity_deploy.schema_snapshot > .venv/tables.json && mv .venv/tables.json schemas/activity_schemas/tables.json
	$(BIN)/python -m activity_deploy.settings > docs/settings.md
	$(BIN)/python -m activity_deploy.metrics > docs/metrics.md
	$(BIN)/python -m activity_deploy.catalog.page > .venv/data.md && mv .venv/data.md docs/data.md
	cp deploy/prometheus/activity.rules.yaml deploy/helm/activity/rules/

questions: setup ## write the answers of docs/questions.md anew
	$(BIN)/python -m tests.support.questions

clean: ## remove the local pipeline's state (not the packages and jars)
	rm -rf .state
