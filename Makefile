# Aliases of the `hwgen` command that set up their own environment. `make help` lists them.

DESIGN ?= digits_mlp
BOARD ?=
PORT ?=
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
OUT = build/$(DESIGN)$(if $(BOARD),-$(BOARD))
BOARD_OPTION = $(if $(BOARD),--board $(BOARD))
PORT_OPTION = $(if $(PORT),--port $(PORT))

.PHONY: help bitstream sim report prog run fast test check docs clean

help:
	@echo "make bitstream [DESIGN=digits_mlp] [BOARD=icebreaker]   build a design and print its report"
	@echo "make sim       [DESIGN=...] [BOARD=...]                 the design's vectors through compiled simulation"
	@echo "make report    [DESIGN=...] [BOARD=...]                 print the report of the last build"
	@echo "make prog      [DESIGN=...] [BOARD=...]                 write the last build into its board"
	@echo "make run       [DESIGN=...] [BOARD=...] [PORT=...]      the test digits through the emulated board, or a port"
	@echo "make test                                               every test, synthesis included"
	@echo "make fast                                               the tests that need neither tools nor seconds"
	@echo "make docs                                               the API reference, into build/docs"
	@echo "make check                                              ruff and pyright"
	@echo "make clean                                              remove build/ and $(VENV)"

$(STAMP): pyproject.toml
	@echo "setting up $(VENV): a minute the first time"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade pip
	PYTHONWARNINGS=ignore $(BIN)/pip install --quiet --disable-pip-version-check -e '.[build,dev]'
	@command -v c++ >/dev/null || command -v g++ >/dev/null || command -v clang++ >/dev/null \
	  || { echo "no C++ compiler found: installing one from the package index"; \
	       $(BIN)/pip install --quiet --disable-pip-version-check -e '.[compiler]'; }
	@touch $@

bitstream: $(STAMP)
	$(BIN)/hwgen build designs/$(DESIGN) $(BOARD_OPTION) -o $(OUT)

sim: $(STAMP)
	$(BIN)/hwgen simulate designs/$(DESIGN) $(BOARD_OPTION) --level rtl

report: $(STAMP)
	$(BIN)/hwgen report $(OUT)

prog: $(STAMP)
	$(BIN)/hwgen program $(OUT)

run: $(STAMP)
	$(BIN)/python -m designs.$(DESIGN).run $(OUT) $(PORT_OPTION)

test: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pytest -q -n 2 --dist loadscope

fast: $(STAMP)
	$(BIN)/pytest -q -n 2 -m "not synth and not compiled and not grid and not long and not build"

docs: $(STAMP)
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[docs]'
	$(BIN)/pdoc --docformat numpy --output-directory build/docs hwgen cores platforms

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

clean:
	rm -rf build $(VENV)
