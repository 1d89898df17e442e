# Every target makes a virtual environment of its own (.venv-NAME): nothing need be set up first
# but Python 3.11 or newer with its headers, a C compiler and make.

ifndef PYTHON
PYTHON := $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
endif
ifeq ($(PYTHON),)
$(error pyconvc needs Python 3.11 or newer: install it, or say where with make PYTHON=...)
endif

BIN = .venv-$@/bin
PIP = $(BIN)/python -m pip --disable-pip-version-check --quiet
# Keeps the checkout's own, uncompiled package out of everything that runs from here.
export PYTHONSAFEPATH = 1

PYTEST_ARGS ?=
# What the layers are compared with: the build without CUDA, which would be gigabytes.
TORCH = torch==2.13.0+cpu
WITHOUT_TORCH ?= echo 'no $(TORCH) to be had: tests against PyTorch are skipped'
BENCH_ARGS ?=
BENCH_PEERS ?= opencv-python-headless
C_FILES = $(shell git ls-files 'src_c/*.c' 'src_c/*.h')

AARCH64 = aarch64-linux-gnu

.PHONY: help demo test neon sanitize style format docs bench readme-table performance clean
.NOTPARALLEL:

help:
	@echo 'make demo          filter a real photograph, beside SciPy and OpenCV'
	@echo 'make test          all tests; PYTEST_ARGS="-k stride" for some'
	@echo 'make neon          the C library for AArch64, cross-compiled and run under qemu'
	@echo 'make sanitize      the C library, compiled and run with sanitizers, which takes minutes'
	@echo 'make style         check formatting and lint;  make format  mends formatting'
	@echo 'make docs          docs/_build/html, warnings are errors'
	@echo 'make bench         python -m pyconvc bench; BENCH_ARGS="--only 2-D --threads 1"'
	@echo 'make readme-table  measure again and rewrite the table in README.md'
	@echo 'make performance   measure again what docs/performance.rst shows'
	@echo 'make clean         remove what these made'

# $(call install,WHAT): a fresh environment with WHAT in it. Old copies of modules are not reused.
define install
	rm -rf build/lib* build/bdist*
	$(PYTHON) -m venv --clear .venv-$@
	$(PIP) install $(1)
endef

demo:
	$(call install,'.[cli]' scikit-image)
	-$(PIP) install --only-binary :all: opencv-python-headless
	$(BIN)/python demo/photo.py

test:
	$(call install,'.[test]')
	$(PIP) install --only-binary :all: $(TORCH) || $(WITHOUT_TORCH)
	$(BIN)/pytest tests $(PYTEST_ARGS)

ifeq ($(and $(shell command -v $(AARCH64)-gcc),$(shell command -v qemu-aarch64)),)
neon:
	@echo 'neon: skipped, for want of $(AARCH64)-gcc or qemu-aarch64'
else
neon:
	$(PYTHON) -m venv --clear .venv-$@
	$(PIP) install --upgrade setuptools
	CC=$(AARCH64)-gcc PYCONVC_MACHINE=aarch64 $(BIN)/python setup.py -q compare_tiers \
		--build-temp build/neon --run-with 'qemu-aarch64 -L /usr/$(AARCH64)'
endif

# Fresh memory is full of NaN.
sanitize:
	$(PYTHON) -m venv --clear .venv-$@
	$(PIP) install --upgrade setuptools
	CC=gcc $(BIN)/python setup.py -q compare_tiers --sanitize --build-temp build/sanitize \
		--run-with 'env ASAN_OPTIONS=max_malloc_fill_size=2147483647:malloc_fill_byte=255'

docs:
	$(call install,'.[docs]')
	rm -rf docs/_build  # figures are not drawn again for a table that has changed
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html
	@echo 'open docs/_build/html/index.html'

bench:
	$(call install,'.[bench]' $(BENCH_PEERS))
	$(BIN)/python -m pyconvc bench $(BENCH_ARGS)

readme-table:
	$(call install,'.[bench]' $(BENCH_PEERS))
	$(BIN)/python benchmarks/readme_table.py $(BENCH_ARGS)

performance:
	$(call install,'.[bench]' $(BENCH_PEERS))
	$(BIN)/python benchmarks/performance.py $(BENCH_ARGS)

.venv-style/done: .ci/style-requirements.txt
	$(PYTHON) -m venv --clear .venv-style
	.venv-style/bin/python -m pip --disable-pip-version-check --quiet install -r $<
	touch $@

style: .venv-style/done
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(C_FILES)

format: .venv-style/done
	.venv-style/bin/ruff check --fix .
	.venv-style/bin/ruff format .
	.venv-style/bin/clang-format -i $(C_FILES)

clean:
	rm -rf build *.egg-info .venv-* demo/out docs/_build .benchmarks
