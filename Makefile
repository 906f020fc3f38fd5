# Thin: each target is one command. `make` alone lists them.
STACK ?= dev

ifeq ($(shell command -v node),)
$(error Node.js is missing: install Node.js 20.19 or newer)
endif

kazoo := node cli/kazoo.js
packages := node_modules/.package-lock.json

.DEFAULT_GOAL := help
.PHONY: help up preview preview-report drift destroy status env toolchain sandbox-up sandbox-down sandbox-status test test-unit bench lint format

help: ## list the targets
	@sed -n 's/^\([a-z][a-z0-9-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "  %-16s %s\n", $$1, $$2 }'

up: $(packages) ## bring a stack up (STACK=dev)
	@$(kazoo) up --stack $(STACK)

preview: $(packages) ## show what up would change
	@$(kazoo) preview --stack $(STACK)

preview-report: $(packages) ## write a report of what up would change, for a reviewer (OUT=folder)
	@$(kazoo) preview-report --stack $(STACK) $(if $(OUT),--out $(OUT))

drift: $(packages) ## find what was changed by hand, and what up would undo (OUT=folder)
	@$(kazoo) drift --stack $(STACK) $(if $(OUT),--out $(OUT))

destroy: $(packages) ## remove all that a stack has made
	@$(kazoo) destroy --stack $(STACK)

status: $(packages) ## show a stack's zones and how many of their pods are ready
	@$(kazoo) status --stack $(STACK)

env: $(packages) ## print what plain pulumi and kubectl need: eval "$(make -s env)"
	@$(kazoo) env --stack $(STACK)

toolchain: $(packages) ## build or find the Pulumi CLI, its plugins and the sandbox's programs
	@$(kazoo) toolchain

sandbox-up: $(packages) ## start the sandbox clusters of a stack
	@$(kazoo) sandbox up --stack $(STACK)

sandbox-down: $(packages) ## stop all sandbox clusters (PURGE=1: remove their data as well)
	@$(kazoo) sandbox down $(if $(PURGE),--purge)

sandbox-status: $(packages) ## show the sandbox clusters
	@$(kazoo) sandbox status

test: $(packages) ## lint, types and all tests
	@npm test

test-unit: $(packages) ## unit tests and golden manifests alone: seconds
	@npm run test:unit

bench: $(packages) ## the program beside plain kubectl, as ratios: minutes
	@npm run --silent bench

lint: $(packages) ## formatting, lint and types
	@npm run lint && npm run types

format: $(packages) ## format everything
	@npm run format

# A linked node_modules belongs to another folder: it is used as it is.
$(packages): package-lock.json
	@test -L node_modules || npm ci
	@touch -c $@
