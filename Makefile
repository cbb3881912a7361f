# Everything runs in .venv, made from the pinned requirements.

PYTHON3 ?= python3
VENV := .venv
PYTHON := $(VENV)/bin/python
HOST ?= 127.0.0.1
PORT ?= 7860
DATA ?= $(FRUITS360_DIR)
MORE ?= $(FRUITS360_MORE_DIR)
PHOTOS ?= $(FRUIT_PHOTOS_DIR)
GENERAL ?= $(GENERAL_PHOTOS_DIR)
FOLDERS = $(if $(DATA),--data "$(DATA)") $(if $(MORE),--more "$(MORE)") \
	$(if $(PHOTOS),--photos "$(PHOTOS)") $(if $(GENERAL),--general "$(GENERAL)")
RECIPE ?= paper
ARGS ?=

# PyTorch's default build for Linux brings gigabytes of CUDA, of use only with NVIDIA's driver.
ifeq ($(shell uname -s),Linux)
NVIDIA := $(wildcard /proc/driver/nvidia/version)$(shell command -v nvidia-smi)
TORCH ?= $(if $(NVIDIA),cuda,cpu)
endif
TORCH_PIN := $(shell grep '^torch==' requirements.txt)

.DEFAULT_GOAL := help
.PHONY: help setup demo check test lint train evaluate figures docs report browser nginx

help: ## list the commands
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18
	@echo
	@echo "  ARGS=...                      further flags for the command"
	@echo "  DATA=DIR, MORE=DIR,           folders of pictures: Fruits-360 (or FRUITS360_DIR),"
	@echo "  PHOTOS=DIR, GENERAL=DIR       further varieties, photos of fruit, ordinary photos"
	@echo "  HOST=ADDRESS, PORT=NUMBER     where the page listens (127.0.0.1 and 7860)"
	@echo "  RECIPE=NAME                   what make train trains (paper)"
	@echo "  PYTHON3=python3.12            the Python that makes .venv (python3)"
	@echo "  TORCH=cpu, TORCH=cuda         PyTorch's build; without it, cuda where there is an"
	@echo "                                NVIDIA driver, else cpu"

setup: $(VENV)/installed ## make .venv and install requirements.txt

# By default glibc keeps a heap for each thread, and they grow; two heaps stay small.
demo: setup ## serve the page (HOST=127.0.0.1 PORT=7860)
	@MALLOC_ARENA_MAX=2 $(PYTHON) -m demo --host $(HOST) --port $(PORT) $(ARGS)

check: lint ## lint, and run the tests that start no process and no browser
	$(PYTHON) -m pytest --numprocesses auto --dist loadfile -m "not browser and not process" $(ARGS)

test: $(VENV)/installed-test browser nginx ## install what the tests need and run all of them
	$(PYTHON) -m pytest --numprocesses auto --dist loadfile $(ARGS)

lint: $(VENV)/installed-test ## check style, security rules and known vulnerabilities
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	@found=$$($(PYTHON) -m pip_audit -r requirements-test.txt --no-deps --disable-pip \
		--progress-spinner off 2>&1) && echo "$$found" \
		|| { echo "$$found" | grep -q 'ConnectionError\|ProxyError\|Timeout' \
			&& echo "The list of known vulnerabilities cannot be reached: not checked."; } \
		|| { echo "$$found"; exit 1; }

train: setup $(if $(filter colornet,$(RECIPE)),$(VENV)/installed-pretrained) ## train a network (DATA=DIR, RECIPE=colornet MORE=DIR PHOTOS=DIR GENERAL=DIR, ARGS="--seed 1")
	$(PYTHON) train.py $(RECIPE) $(FOLDERS) $(ARGS)

evaluate: setup ## measure weights (DATA=DIR, MORE=DIR, PHOTOS=DIR, GENERAL=DIR, ARGS="--weights NAME")
	$(PYTHON) -m model.scorecard $(FOLDERS) $(ARGS)

figures: setup ## write the measured figures into README, docs and cards
	$(PYTHON) -m model.evaluate.published

docs: $(VENV)/installed-test figures ## write flags, study fields and the figures into the documentation
	$(PYTHON) -m tests.reference

report: setup ## report the rating study (ARGS="--html report.html")
	@$(PYTHON) -m study.report $(ARGS)

$(VENV)/bin/python:
	@$(PYTHON3) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; choose one with PYTHON3=..." >&2; exit 1; }
	@$(PYTHON3) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python's venv is missing: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON3) -m venv $(VENV)

$(VENV)/installed: requirements.txt | $(VENV)/bin/python
ifeq ($(TORCH),cpu)
	@echo "Installing PyTorch's CPU build; TORCH=cuda takes the other one."
	@$(PYTHON) -m pip install "$(TORCH_PIN)+cpu" 2>/dev/null || { $(PYTHON) -m pip install uv && \
		$(PYTHON) -m uv pip install --python $(PYTHON) --torch-backend cpu "$(TORCH_PIN)"; }
endif
	$(PYTHON) -m pip install -r requirements.txt
	@touch $@

$(VENV)/installed-pretrained: requirements-pretrained.txt $(VENV)/installed
	$(PYTHON) -m pip install -r requirements-pretrained.txt
	@touch $@

$(VENV)/installed-test: requirements-test.txt requirements-pretrained.txt $(VENV)/installed
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
