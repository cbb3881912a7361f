# Everything runs in .venv, made from the pinned requirements. `make test` also installs Chromium.

PYTHON3 ?= python3
VENV := .venv
PYTHON := $(VENV)/bin/python
HOST ?= 127.0.0.1
PORT ?= 7860
DATA ?= $(FRUITS360_DIR)
MORE ?= $(FRUITS360_MORE_DIR)
PHOTOS ?= $(FRUIT_PHOTOS_DIR)
FOLDERS = $(if $(DATA),--data "$(DATA)") $(if $(MORE),--more "$(MORE)") \
	$(if $(PHOTOS),--photos "$(PHOTOS)")
RECIPE ?= paper
ARGS ?=
TORCH ?=
TORCH_PIN := $(shell grep '^torch==' requirements.txt)

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint train evaluate report browser nginx

help: ## list the commands
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18
	@echo "ARGS=... passes further flags on; DATA=DIR or FRUITS360_DIR=DIR is the Fruits-360 folder,"
	@echo "MORE=DIR and PHOTOS=DIR those of further varieties and of photos;"
	@echo "TORCH=cpu installs PyTorch's CPU build where the default brings CUDA."

setup: $(VENV)/installed ## make .venv and install requirements.txt

# glibc keeps what its threads free for each of them apart, which adds up; in two arenas it does not.
demo: setup ## serve the page (HOST=127.0.0.1 PORT=7860)
	@MALLOC_ARENA_MAX=2 $(PYTHON) -m demo --host $(HOST) --port $(PORT) $(ARGS)

test: $(VENV)/installed-test browser nginx ## install what the tests need and run them all
	$(PYTHON) -m pytest --numprocesses auto --dist loadfile $(ARGS)

lint: $(VENV)/installed-test ## check style, security rules and known vulnerabilities
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	@found=$$($(PYTHON) -m pip_audit -r requirements-test.txt --no-deps --disable-pip \
		--progress-spinner off 2>&1) && echo "$$found" \
		|| { echo "$$found" | grep -q 'ConnectionError\|ProxyError\|Timeout' \
			&& echo "The list of known vulnerabilities cannot be reached: not checked."; } \
		|| { echo "$$found"; exit 1; }

train: setup ## train a network (DATA=DIR, RECIPE=colornet MORE=DIR PHOTOS=DIR, ARGS="--seed 1")
	$(PYTHON) train.py $(RECIPE) $(FOLDERS) $(ARGS)

evaluate: setup ## measure weights (DATA=DIR, MORE=DIR, PHOTOS=DIR, ARGS="--weights NAME")
	$(PYTHON) -m model.scorecard $(FOLDERS) $(ARGS)

report: setup ## print the rating study's means (ARGS="--plot FILE.png")
	@$(PYTHON) -m study.report $(ARGS)

$(VENV)/bin/python:
	@$(PYTHON3) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; choose one with PYTHON3=..." >&2; exit 1; }
	@$(PYTHON3) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python's venv is missing: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON3) -m venv $(VENV)

$(VENV)/installed: requirements.txt | $(VENV)/bin/python
ifeq ($(TORCH),cpu)
	$(PYTHON) -m pip install "$(TORCH_PIN)+cpu" || { $(PYTHON) -m pip install uv && \
		$(PYTHON) -m uv pip install --python $(PYTHON) --torch-backend cpu "$(TORCH_PIN)"; }
endif
	$(PYTHON) -m pip install -r requirements.txt
	@touch $@

$(VENV)/installed-test: requirements-test.txt $(VENV)/installed
	$(PYTHON) -m pip install -r requirements-test.txt
	@touch $@

# Debian's Chromium where apt-get may be used, else the one that Playwright brings.
browser: $(VENV)/installed-test
	@command -v chromium >/dev/null \
		|| { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq chromium; } \
		|| $(PYTHON) -m playwright install chromium

nginx:
	@PATH="$$PATH:/usr/sbin" command -v nginx >/dev/null \
		|| { [ "$$(id -u)" = 0 ] && apt-get update -qq && apt-get install -y -qq nginx-light; } \
		|| { echo "The tests need nginx: apt-get install nginx-light" >&2; exit 1; }
