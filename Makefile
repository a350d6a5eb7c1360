# Everything runs in one environment, .venv, made from requirements.lock.
RUN := .venv/bin/python
# The Python that .venv was made with, until another is named; where there is none that works, the first of the path.
PYTHON ?= $(shell $(RUN) -c "import pip" 2>/dev/null && echo $(RUN) || echo python3)
# The unit tests run in so many processes of one thread each; their models are too small to use more.
WORKERS ?= 2
UNIT := OMP_NUM_THREADS=1 $(RUN) -m pytest tests --ignore=tests/site -n $(WORKERS) --dist worksteal --durations=25
.DEFAULT_GOAL := help
.NOTPARALLEL:
# Modules are compiled when they are first imported and then kept, also where the machine's settings say otherwise: the
# libraries of a notebook take 20 s to import without that, and 9 s with it.
export PYTHONDONTWRITEBYTECODE :=
.PHONY: help environment tensorflow book test test-fast lab bench results verify fetch lock repository clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-11s %s\n", $$1, $$2}' Makefile

environment: ## make .venv, or leave it as it is when the lock and pyproject.toml are unchanged
	@$(PYTHON) tools/environment.py

tensorflow: environment ## make the environment of the page on TensorFlow, 1.6 GB in the cache
	@$(RUN) -m helpers.book.apart

book: tensorflow ## execute the notebooks that changed and build the HTML book
	@$(RUN) -m tools.book

test: fetch tensorflow ## check everything: style, unit tests, notebooks, links, the book in a browser
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(UNIT)
	$(RUN) -m tools.book
	@$(RUN) -m tools.chromium
	$(RUN) -m pytest tests/site
	@$(RUN) -m tools.chromium --report

test-fast: fetch ## run the unit tests that take seconds
	$(UNIT) -m "not slow"

lab: environment ## open the notebooks in JupyterLab
	$(RUN) -m jupyterlab book

bench: environment ## measure speed and memory against transformers, its Trainer and TRL, and speed against pytorch-crf
	@for file in benchmarks/*.py; do $(RUN) $$file || exit 1; done

results: environment ## compute the results that are missing and take longer than a notebook may, after a plan of the minutes
	$(RUN) -m experiments.run

verify: environment ## compute one seed of an experiment again and compare: make verify NAME=reviews-curve
	$(RUN) -m experiments.run --verify $(NAME)

fetch: environment ## download and verify the models and texts
	$(RUN) -m helpers fetch

lock: ## resolve pyproject.toml anew into requirements.lock
	$(PYTHON) tools/lock.py

repository: environment ## write the public address everywhere: make repository URL=https://github.com/OWNER/REPO
	$(RUN) -m tools.repository $(URL)

clean: ## remove the book and the executed notebooks; .venv and the downloads stay
	rm -rf _build executed build sft_in_practice.egg-info .pytest_cache .ruff_cache
	find benchmarks book experiments helpers tests tools -name __pycache__ -prune -exec rm -rf {} +
