# The ways into this project. Everything else is CMake: `cmake --list-presets`.
#   make demo      build, make a sample archive, run the main job on it, show what came out
#   make test      build and run the tests
BUILD ?= build
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)

.PHONY: help setup configure build demo test golden test-integration soak soak-s3 check bench fuzz install clean format
.DEFAULT_GOAL := help

help:
	@echo 'make demo              see it work: sample archive in, Parquet out, rows read back'
	@echo 'make build             a release build that runs in place as $(BUILD)/logmill'
	@echo 'make test              build and run all tests that need nothing from outside Debian'
	@echo 'make golden            write what the parsers make of tests/golden now, to be read with git diff'
	@echo 'make test-integration  tests that read our output with DuckDB, Spark and others'
	@echo 'make soak              200 jobs killed at random instants, compared with an undisturbed one (ROUNDS=200 OBJECTS=2000 SEED=1)'
	@echo 'make soak-s3           the same with jobs that write to a real S3 server'
	@echo 'make check             format, includes, instruction budget, fuzz smoke; and what CI leaves out: clang-tidy, asan, tsan'
	@echo 'make bench             the benchmarks'
	@echo 'make fuzz              every fuzz target for a minute (SECONDS_EACH=60)'
	@echo 'make install           into PREFIX ($(PREFIX))'
	@echo 'make format            let clang-format lay out the sources'
	@echo 'make clean             remove the build folders'

setup:
	@bash scripts/setup.sh

configure: setup
	@cmake --preset release -B $(BUILD) >/dev/null || cmake --preset release -B $(BUILD)

build: configure
	@echo 'build: $(BUILD)'
	@cmake --build $(BUILD) -j $(JOBS)

demo: configure
	@cmake --build $(BUILD) -j $(JOBS) --target logmill
	@bash scripts/demo.sh $(BUILD)

test: build
	@ctest --test-dir $(BUILD) --output-on-failure -j $$(($(JOBS) + 1))  # some wait

golden: build
	@LOGMILL=$(abspath $(BUILD))/logmill python3 -B tests/golden/golden.py --update
	@git --no-pager diff --stat -- tests/golden

test-integration: build
	@bash scripts/integration.sh $(BUILD)

ROUNDS ?= 200
OBJECTS ?= 2000
SEED ?= 1
soak: build
	@python3 -B scripts/soak.py $(BUILD)/logmill $(BUILD)/soak --rounds $(ROUNDS) --objects $(OBJECTS) --seed $(SEED)

soak-s3: build
	@bash scripts/soak_s3.sh $(BUILD) --rounds $(ROUNDS) --objects $(OBJECTS) --seed $(SEED)

check: setup
	@bash scripts/check.sh

bench: setup
	@cmake --preset bench >/dev/null
	@cmake --build build-bench -j $(JOBS)
	@bash scripts/bench.sh build-bench

SECONDS_EACH ?= 60
fuzz: setup
	@bash scripts/fuzz.sh $(SECONDS_EACH)

install: build
	cmake --install $(BUILD) --prefix $(PREFIX)

format:
	@git ls-files '*.cpp' '*.hpp' '*.h' | xargs clang-format-14 -i

clean:
	rm -rf build build-*
