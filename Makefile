# The front door. Each target installs what it needs, builds and runs; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.SUFFIXES:

URL ?= fake://
PREFIX ?= /usr/local
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 60
# The preset whose build `make test` tests.
TEST_PRESET ?= dev
# Further arguments for ctest, e.g. TESTS='-R interop'.
TESTS ?=
# Further arguments for tests/chaos/run.py, e.g. CHAOS='--only 1,2 --runs 3'.
CHAOS ?=
SOAK_MINUTES ?= 30
# Further arguments for bench/run.py, e.g. BENCH='--quick --only call'. A $ does not get through.
BENCH ?=
PYTHON := /usr/bin/python3

# Precompiled headers and checkouts in different folders share ccache entries only like this.
export CCACHE_SLOPPINESS ?= pch_defines,time_macros,include_file_mtime,include_file_ctime
export CCACHE_BASEDIR ?= $(CURDIR)
export CCACHE_NOHASHDIR ?= 1
export CMAKE_BUILD_PARALLEL_LEVEL ?= $(JOBS)
export PYTHONDONTWRITEBYTECODE := 1

# $(2): further settings of CMake.
build_preset = \
  tools/step.sh "Configuring $(1)" build/log/configure-$(1).log cmake --preset $(1) $(2) && \
  tools/step.sh "Building $(1)" build/log/build-$(1).log cmake --build --preset $(1)
header_check = tools/step.sh "Compiling each public header alone" build/log/headers-$(1).log \
  cmake --build --preset $(1) --target all_verify_interface_header_sets
venvs = tools/step.sh "Preparing Python peers" build/log/venv.log \
  $(PYTHON) tests/support/make_venv.py build/venv
python_wheel = tools/step.sh "Building the wheel for Python" build/log/wheel.log tools/python_wheel.sh $(1)
kafka = tools/step.sh "Fetching Kafka" build/log/kafka.log \
  $(PYTHON) tests/support/kafka_broker.py fetch --jars build/kafka
run_tests = $(PYTHON) tests/support/run_tests.py --build build/$(1) --jobs $(JOBS)

.PHONY: help setup setup-test setup-python build demo test test-brokers python-wheel python-test asan tsan fuzz chaos soak lint bench bench-check bench-kafka bench-amqp1 install docs deb clean

help:
	@echo "make demo [URL=rabbit://...]  the main job in one process, or over a broker"
	@echo "make test [TESTS='-R NAME']   the tests; starts and stops its own RabbitMQ and Kafka"
	@echo "make test-brokers             those over Broker-J, Artemis and a Kafka that is broken"
	@echo "make build                    release build; programs are in build/release/bin"
	@echo "make python-wheel             the driver for Python's oslo.messaging, in build/python/dist"
	@echo "make python-test              its tests, upstream's functional suite included"
	@echo "make asan | make tsan         the tests under address+undefined or thread sanitizer"
	@echo "make fuzz [FUZZ_SECONDS=60]   each fuzz target for that long"
	@echo "make chaos [CHAOS='--only 1'] brokers and links broken under load: what was lost, how long"
	@echo "make soak [SOAK_MINUTES=30]   load for that long, a broker restart a minute, nothing grows"
	@echo "make bench [BENCH=--quick]    speed beside everything a user would pick instead"
	@echo "make bench-check [UPDATE=1]   instructions and allocations of each step, beside the record"
	@echo "make bench-kafka [BENCH=...]  notifications over Kafka beside other clients of it"
	@echo "make bench-amqp1 [BENCH=...]  amqp:// over Qpid Broker-J beside Python and Proton itself"
	@echo "make lint                     format, layers, headers, scripts"
	@echo "make install [PREFIX=DIR]     headers, libraries, CMake package, pkg-config, oslo-msg"
	@echo "make docs                     pages and API reference, in build/docs/site"
	@echo "make deb                      Debian packages, in build/deb, and what their users do with them"
	@echo "make clean                    remove the build folder"

setup:
	@tools/setup.sh

setup-test:
	@tools/setup.sh test

setup-python:
	@tools/setup.sh test python

build: setup
	@$(call build_preset,release)

demo: setup
	@tools/step.sh "Configuring demo" build/log/configure-demo.log cmake --preset demo
	@tools/step.sh "Building oslo-msg" build/log/build-oslo-msg.log \
	  cmake --build --preset demo --target oslo-msg
	@build/demo/bin/oslo-msg --url "$(URL)" demo

test: setup-python
	@$(call build_preset,$(TEST_PRESET),-DOSLO_MESSAGING_PYTHON_TESTS=choice -DOSLO_MESSAGING_MORE_BROKERS=OFF)
	@$(call header_check,$(TEST_PRESET))
	@$(call venvs)
	@$(call python_wheel,$(TEST_PRESET))
	@$(call kafka)
	@$(call run_tests,$(TEST_PRESET)) -- $(TESTS)

test-brokers: setup-python
	@$(call build_preset,$(TEST_PRESET),-DOSLO_MESSAGING_MORE_BROKERS=ON)
	@$(call venvs)
	@$(call kafka)
	@$(call run_tests,$(TEST_PRESET)) -- -R 'qpid|artemis|kafka' $(TESTS)

python-wheel:
	@tools/setup.sh python
	@$(call python_wheel)
	@ls build/python/dist/*.whl

python-test: setup-python
	@tools/step.sh "Configuring $(TEST_PRESET)" build/log/configure-$(TEST_PRESET).log \
	  cmake --preset $(TEST_PRESET) -DOSLO_MESSAGING_PYTHON_TESTS=full
	@tools/step.sh "Building its peers" build/log/build-python-peers.log \
	  cmake --build --preset $(TEST_PRESET) --target oslo-msg interop_notify ceilometer_agent
	@$(call venvs)
	@$(call python_wheel)
	@$(call run_tests,$(TEST_PRESET)) --label python -- $(TESTS)

asan tsan: setup-test
	@$(call build_preset,$@)
	@$(call run_tests,$@) --label 'unit|conformance|integration|fuzz' -- $(TESTS)

fuzz: setup-test
	@$(call build_preset,fuzz)
	@tools/fuzz.sh build/fuzz/bin $(FUZZ_SECONDS)

chaos: setup-test
	@tools/step.sh "Configuring dev" build/log/configure-dev.log cmake --preset dev
	@tools/step.sh "Building chaos" build/log/build-chaos.log \
	  cmake --build --preset dev --target chaos_sender chaos_receiver oslo-msg
	@tools/step.sh "Preparing Python peers" build/log/venv-chaos.log \
	  $(PYTHON) tests/support/make_venv.py build/venv tests/support/requirements-18.3.1.txt
	@$(PYTHON) tests/support/with_broker.py --dir build/chaos/broker -- \
	  $(PYTHON) tests/chaos/run.py --bin build/dev/bin --dir build/chaos \
	  --python build/venv/18.3.1/bin/python3 --json build/chaos/report.json $(CHAOS)

soak:
	@$(MAKE) --no-print-directory chaos CHAOS="--soak --minutes $(SOAK_MINUTES)"

lint: setup-test
	@tools/lint.sh
	@tools/step.sh "Configuring dev" build/log/configure-dev.log cmake --preset dev
	@$(call header_check,dev)

bench:
	@tools/setup.sh test bench python
	@$(call python_wheel)
	@tools/step.sh "Configuring bench" build/log/configure-bench.log cmake --preset bench
	@tools/step.sh "Building bench" build/log/build-bench.log \
	  cmake --build --preset bench --target bench_programs
	@tools/step.sh "Preparing Python peers" build/log/venv-bench.log \
	  $(PYTHON) tests/support/make_venv.py build/venv \
	  tests/support/requirements-18.3.1.txt bench/requirements-plots.txt
	@$(PYTHON) tests/support/with_broker.py --dir build/bench/broker -- \
	  $(PYTHON) bench/run.py --bin build/bench/bin --json build/bench/report.json \
	  --html build/bench/report.html --plot-python build/venv/plots/bin/python3 $(BENCH)

bench-check:
	@tools/setup.sh test bench
	@tools/step.sh "Configuring bench" build/log/configure-bench.log cmake --preset bench
	@tools/step.sh "Building oslo_micro" build/log/build-micro.log \
	  cmake --build --preset bench --target oslo_micro
	@$(PYTHON) bench/micro/check_counts.py --program build/bench/bin/oslo_micro \
	  $(if $(UPDATE),--update)

bench-kafka:
	@tools/setup.sh test bench
	@tools/step.sh "Configuring bench" build/log/configure-bench.log cmake --preset bench
	@tools/step.sh "Building bench" build/log/build-bench.log \
	  cmake --build --preset bench --target oslo-msg rdkafka_performance rdkafka_floor
	@tools/step.sh "Preparing Python peers" build/log/venv-bench.log \
	  $(PYTHON) tests/support/make_venv.py build/venv tests/support/requirements-18.3.1.txt \
	  tests/support/requirements-confluent-kafka-2.16.1.txt
	@$(PYTHON) bench/kafka.py --bin build/bench/bin --jars build/kafka --dir build/bench/kafka \
	  --json build/bench/kafka.json $(BENCH)

bench-amqp1:
	@tools/setup.sh test bench
	@tools/step.sh "Configuring bench" build/log/configure-bench.log cmake --preset bench
	@tools/step.sh "Building bench" build/log/build-bench.log \
	  cmake --build --preset bench --target bench_programs
	@$(PYTHON) bench/amqp1.py --bin build/bench/bin --jars build/qpid-jars --dir build/bench/qpid \
	  --json build/bench/amqp1.json $(BENCH)

install: build
	@cmake --install build/release --prefix "$(PREFIX)"

docs:
	@tools/setup.sh docs
	@tools/step.sh "Building documentation" build/log/docs.log \
	  $(PYTHON) tools/docs/build_site.py . build/docs
	@echo "Open build/docs/site/index.html"

deb:
	@tools/setup.sh deb
	@tools/step.sh "Building Debian packages" build/log/deb.log packaging/make_deb.sh build/deb
	@tools/step.sh "Installing them into build/deb/check" build/log/deb-check.log \
	  packaging/check_deb.sh build/deb
	@ls build/deb/*.deb

clean:
	@rm -rf build
