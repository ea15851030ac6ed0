# Every target first sets up what is missing, so `make run` and `make test` work on a fresh clone.
# Variables: PYTHON=/path/to/python3  VENV=.venv  COVERAGE=1  SAVE=1  ARGS="more arguments"

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV ?= .venv
TARGET_DIR ?= target
ARGS ?=
bin := $(VENV)/bin

# rustup writes here, and the shell that called make may be older than that.
export PATH := $(PATH):$(HOME)/.cargo/bin
# One interpreter for maturin, clippy and the tests, so that nobody rebuilds PyO3 for another one.
export VIRTUAL_ENV := $(abspath $(VENV))
export PYO3_PYTHON := $(abspath $(bin)/python)
export CARGO_TARGET_DIR := $(abspath $(TARGET_DIR))
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# A stamp's name holds the checksum of what it was made from: content decides, not file times, so
# a change of branch and back costs nothing. Cargo's tests and benches are no part of the extension.
table = awk '/^\[/ { keep = /^\[($(1))/ } keep' pyproject.toml
tools_sum := $(shell { cat constraints.txt; $(call table,dependency-groups); } | cksum | cut -d' ' -f1)
rust_sum := $(shell { find rust Cargo.toml Cargo.lock -type f -not -path '*/tests/*' \
	-not -path '*/benches/*' -print0 | LC_ALL=C sort -z | xargs -0 cksum; \
	$(call table,build-system|project|tool\.maturin); } | cksum | cut -d' ' -f1)
tools := $(VENV)/.tools-$(tools_sum)
extension := $(VENV)/.extension-$(rust_sum)

# Somebody cleaned the sources, but not the environment with the stamp.
ifeq ($(wildcard python/penstock/_native.*.so),)
$(shell rm -f $(VENV)/.extension-*)
endif

.PHONY: help setup run test test-fast test-all check fix bench docs api lock hooks

help: ## this list
	@echo "Penstock. Start with: make run, then make test"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|' 2>/dev/null \
		|| sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1: \2/p' Makefile

$(bin)/python:
	@python="$(PYTHON)"; python=$${python:-$$(.ci/find-python)}; \
	echo "making $(VENV) with $$python"; "$$python" -m venv $(VENV)

$(tools): $(bin)/python
	@echo "installing the pinned tools into $(VENV)"
	@$(bin)/python -m pip install --quiet --constraint constraints.txt pip
	@$(bin)/python -m pip install --quiet --constraint constraints.txt --group dev --group sdks
	@rm -f $(VENV)/.tools-*; touch $@

$(extension): $(tools)
	@.ci/need-rust
	@echo "building the extension (release)"
	@PIP_QUIET=1 PIP_CONSTRAINT=constraints.txt $(bin)/maturin develop --release --locked --extras cli,demo
	@rm -f $(VENV)/.extension-*; touch $@

setup: $(extension) ## .venv, the pinned tools, the extension (built only when Rust sources changed)
	@:

run: setup ## the main job on real input: recorded agent turns, through the engine
	$(bin)/penstock demo $(ARGS)

coverage := $(if $(COVERAGE),--cov --cov-report=term --cov-report=xml:$(TARGET_DIR)/coverage.xml)

test: setup ## everything that must pass, Rust and Python
	cargo test --locked --package penstock-core
	$(bin)/python -m pytest $(coverage) $(ARGS)

test-fast: setup ## the inner loop: no real time, no servers, few Hypothesis examples
	HYPOTHESIS_PROFILE=fast $(bin)/python -m pytest -q -m "not real_time and not integration" \
		--ignore tests/architecture $(ARGS)

test-all: ## make test on every Python found, 3.11 to 3.13
	@.ci/find-python --all | while read -r version python; do \
		echo "== Python $$version"; \
		$(MAKE) test PYTHON="$$python" VENV=.venv-$$version TARGET_DIR=target/py$$version </dev/null; \
	done

check: setup ## what a commit hook runs: formats, lints, types, layers, the native stub
	$(bin)/ruff format --check --quiet .
	$(bin)/ruff check --quiet .
	@{ cargo fmt --version && cargo clippy --version; } >/dev/null \
		|| { echo "get them: rustup component add rustfmt clippy" >&2; exit 1; }
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
	$(bin)/mypy
	$(bin)/lint-imports --no-logo
	$(bin)/python -m mypy.stubtest penstock._native

fix: setup ## formats, and repairs what the linters can repair
	$(bin)/ruff check --quiet --fix .
	$(bin)/ruff format --quiet .
	cargo fmt --all

bench: setup ## the quick rows against their gates; SAVE=1 keeps them in benches/results/
	$(bin)/python benches/run.py $(if $(SAVE),--save) $(ARGS)

docs: setup ## docs/reference/ and docs/glossary.md, from docstrings
	$(bin)/python docs/generate.py

api: setup ## renew the list of public names that test_public_api compares
	PYTHONPATH=tests $(bin)/python -m architecture.public_api

lock: $(tools) ## renew constraints.txt
	$(bin)/uv pip compile --quiet --universal --upgrade --all-extras --group dev --group sdks \
		--no-header --no-annotate pyproject.toml --output-file constraints.txt

hooks: ## run make check before each commit
	@printf '#!/bin/sh\nexec make check\n' > "$$(git rev-parse --git-path hooks/pre-commit)"
	@chmod +x "$$(git rev-parse --git-path hooks/pre-commit)"
	@echo "make check runs before each commit; git commit --no-verify goes around it"
