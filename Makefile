# Hedged carry for freqtrade. `make help` lists the targets. Needs only python3 (>= 3.11), make and git.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# The market of `make backtest`: the sample market unless you name a freqtrade data folder.
DATA ?= user_data/data/sample
TIMEFRAME ?= 1h
TIMERANGE ?= 20230120-20241231
STRATEGIES ?= FundingSpreadCarry FundingOnlyCarry SpreadOnlyCarry RegimeSizedCarry RotatingCarry AlwaysOnCarry ExtremeFundingCarry
PAGE ?= user_data/report/carry.html
JSON ?= user_data/report/carry.json
WALK_STRATEGIES ?= FundingSpreadCarry
WALK_RANGE ?= $(TIMERANGE)
WALK ?= --train 180d --test 90d
DAYS ?= 30
OBSERVE_DAYS ?= 14
SEED ?= 1
RUNS ?= 1000000
DRAWS ?= 300
# The market of `make parity` and of the sweep's bench: the recorded one if it is there, else DATA.
RECORDED := $(wildcard ../shared/data/binance_1h)
PARITY_DATA ?= $(or $(RECORDED),$(DATA))
PARITY_RANGE ?= $(if $(RECORDED),20210101-20241231,$(TIMERANGE))
BENCH_RANGE ?= $(if $(RECORDED),20200101-20241231,$(TIMERANGE))
BENCH_ORDERS ?= 1000
BENCH_REQUESTS ?= 100
# A python that has vectorbt, in an environment of its own: make bench VECTORBT=/somewhere/bin/python
VECTORBT ?=
LOG := user_data/logs/backtest.log

.PHONY: docs observe parity docs-test walk-forward days demo soak help setup data backtest report test lint types imports tests bench clean crash-matrix

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(INSTALLED) ## create .venv and install everything that is pinned

$(INSTALLED): requirements.lock pyproject.toml
	@echo "Setting up $(VENV) (once, about a minute) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "python 3.11 or newer is needed")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

data: $(INSTALLED) ## write the sample market, if there is no data yet
	@if [ "$(DATA)" = user_data/data/sample ]; then $(BIN)/carry sample-data --datadir $(DATA); fi

backtest: data ## the main job: freqtrade's tables, the carry table, the page
	@mkdir -p user_data/backtest_results user_data/report user_data/logs
	@$(BIN)/carry check-data --datadir $(DATA) --timeframe $(TIMEFRAME) --timerange $(TIMERANGE)
	@tools/with-paper-exchange $(DATA) $(BIN)/freqtrade backtesting --userdir user_data \
		-c user_data/config/base.json -c user_data/config/backtest.json -c user_data/config/paper.json \
		--datadir $(DATA) --timeframe $(TIMEFRAME) --timerange $(TIMERANGE) --cache none \
		--strategy-list $(STRATEGIES) 2>$(LOG) || { grep -E "ERROR|with-paper|paper-exchange:" $(LOG) >&2; exit 2; }
	@! grep -o "Invalid configuration. Reason:.*" $(LOG) >&2 || exit 2 # freqtrade ends with 0 then
	@echo "freqtrade's log: $(LOG)"
	@$(MAKE) --no-print-directory report

report: $(INSTALLED) ## price the last backtest again, leg by leg, and write the page
	@$(BIN)/carry report --result user_data/backtest_results --datadir $(DATA) --json $(JSON) --page $(PAGE)

walk-forward: data ## choose parameters on one stretch, judge them on the next (DATA, WALK_STRATEGIES, WALK_RANGE, WALK)
	@tools/with-paper-exchange $(DATA) $(BIN)/carry walk-forward --datadir $(DATA) --timeframe $(TIMEFRAME) \
		-c user_data/config/base.json -c user_data/config/backtest.json -c user_data/config/paper.json \
		--strategy $(WALK_STRATEGIES) --timerange $(WALK_RANGE) $(WALK)

test: $(INSTALLED) lint types imports tests ## lint, types, import contracts, all tests

lint: $(INSTALLED)
	$(BIN)/ruff check plugins tests user_data/strategies user_data/hyperopts tools
	$(BIN)/ruff format --check plugins tests user_data/strategies user_data/hyperopts tools
	$(BIN)/hadolint docker/Dockerfile

types: $(INSTALLED)
	$(BIN)/mypy

imports: $(INSTALLED)
	$(BIN)/lint-imports

tests: $(INSTALLED)
	$(BIN)/pytest -n 2

docs: $(INSTALLED) ## write docs/configuration.md from the models
	@PYTHONPATH=. $(BIN)/python tools/config_reference.py

docs-test: $(INSTALLED) ## every command of README, docs and docker/compose.yml, run; an installation by the README
	@DOCS_TEST=1 $(BIN)/pytest tests/ship

crash-matrix: $(INSTALLED) ## every journal write and venue call x every fault, and all pairs of faults
	@CRASH_MATRIX=full $(BIN)/pytest -q tests/hedge_leg/test_crash_matrix.py
	@CRASH_MATRIX=full $(BIN)/pytest -q tests/host/test_live_matrix.py tests/host/test_two_exchanges_crash.py

bench: data ## speed of backtests, features, report and of the live spot leg, measured now
	@tools/with-paper-exchange $(DATA) $(BIN)/python tools/bench.py --datadir $(DATA) --timerange $(TIMERANGE)
	@PYTHONPATH=. tools/with-paper-exchange $(PARITY_DATA) $(BIN)/python tools/bench_sweep.py \
		--datadir $(PARITY_DATA) --timerange $(BENCH_RANGE) --folds-timerange $(PARITY_RANGE) \
		$(if $(VECTORBT),--vectorbt $(VECTORBT))
	@PYTHONPATH=. $(BIN)/python tools/bench_hedge.py --datadir $(DATA) --orders $(BENCH_ORDERS)
	@PYTHONPATH=. $(BIN)/python tools/bench_exchange.py --requests $(BENCH_REQUESTS)

parity: data ## the sweep against freqtrade's backtest on random draws, trade by trade (DRAWS, SEED)
	@PYTHONPATH=. tools/with-paper-exchange $(PARITY_DATA) nice -n 15 $(BIN)/python tools/parity.py \
		--datadir $(PARITY_DATA) --timerange $(PARITY_RANGE) --draws $(DRAWS) --seed $(SEED)

demo: $(INSTALLED) ## a live carry on a local exchange: killed between the fills, restarted, closed, accounted for
	@PYTHONPATH=. $(BIN)/python tools/demo.py

soak: $(INSTALLED) ## a million simulated runs (about two hours on two cores; RUNS, SEED)
	@$(BIN)/hedge-leg simulate --seed $(SEED) --runs $(RUNS)

observe: $(INSTALLED) ## fourteen simulated days of the observer over HTTP, scored and checked (OBSERVE_DAYS)
	@mkdir -p user_data/logs
	@$(BIN)/python -m tests.soak.observe --days $(OBSERVE_DAYS) 2>user_data/logs/observe.log || { tail -3 user_data/logs/observe.log >&2; exit 1; }

days: $(INSTALLED) ## thirty simulated days of the real bot over HTTP, faults and a kill every day (DAYS, SEED)
	@$(BIN)/python -m tests.soak.thirty_days --days $(DAYS) --seed $(SEED)

clean: ## remove what was made (the environment, the sample market, results)
	rm -rf $(VENV) user_data/data/sample user_data/backtest_results user_data/report user_data/.run
