# Thin: each target is one command. `make` alone lists them.
STACK ?= dev

ifeq ($(shell command -v node),)
$(error Node.js is missing: install Node.js 20.19 or newer)
endif

kazoo := node tools/cli/kazoo.js
# What stands on make's own command line alone: npm, for one, exports a NODE. As an option with its value, or as one without.
typed = $(if $(filter command,$(firstword $(origin $1))),$($1))
quoted = '$(subst ','\'',$1)'
given = $(if $(call typed,$1),$2 $(call quoted,$($1)))
flag = $(if $(call typed,$1),$2)
stack = --stack $(call quoted,$(STACK))
packages := node_modules/.package-lock.json

.DEFAULT_GOAL := help
.PHONY: help up preview preview-report drift destroy status env render toolchain sandbox-up sandbox-down sandbox-status \
	kube-deploy-service kube-apply-service kube-delete-service kube-deploy kube-deploy-edit kube-deploy-rollback kube-rollout-status \
	kube-rollout-history kube-delete-deployment kube-logsf kube-logsft kube-shell kazoo-maint-nodes init-account init-apps get-master-account \
	build rebuild tag push rmi run launch launch-net create-network launch-deps kill-deps logs logsf shell start stop kill rm test test-unit e2e bench lint format

help: ## list the targets
	@sed -n 's/^\([a-z][a-z0-9-]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "  %-22s %s\n", $$1, $$2 }'

up: $(packages) ## bring a stack up (STACK=dev, YES=1)
	@$(kazoo) up $(stack) $(call flag,YES,--yes)

preview: $(packages) ## show what up would change
	@$(kazoo) preview $(stack)

preview-report: $(packages) ## write a report of what up would change, for a reviewer (OUT=folder)
	@$(kazoo) preview-report $(stack) $(call given,OUT,--out)

drift: $(packages) ## find what was changed by hand, and what up would undo (OUT=folder)
	@$(kazoo) drift $(stack) $(call given,OUT,--out)

destroy: $(packages) ## remove all that a stack has made (YES=1)
	@$(kazoo) destroy $(stack) $(call flag,YES,--yes)

status: $(packages) ## show what of a stack is ready (JSON=1: for programs; WATCH=1: go on looking)
	@$(kazoo) status $(stack) $(call flag,JSON,--json) $(call flag,WATCH,--watch)

env: $(packages) ## print what plain pulumi and kubectl need: eval "$(make -s env)"
	@$(kazoo) env $(stack)

render: $(packages) ## write the image's configuration, from your environment (OUT=folder)
	@$(kazoo) render $(call given,OUT,--out)

toolchain: $(packages) ## build or find the Pulumi CLI, its plugins and the sandbox's programs
	@$(kazoo) toolchain

sandbox-up: $(packages) ## start the sandbox clusters of a stack
	@$(kazoo) sandbox up $(stack)

sandbox-down: $(packages) ## stop all sandbox clusters (PURGE=1: remove their data as well)
	@$(kazoo) sandbox down $(call flag,PURGE,--purge)

sandbox-status: $(packages) ## show the sandbox clusters
	@$(kazoo) sandbox status

# What follows is for stacks on Kubernetes.
kube = $(kazoo) $@ $(stack) $(call given,ZONE,--zone)
asked = $(kube) $(call flag,YES,--yes)
pod = $(kube) $(call given,NODE,--node)

kube-deploy-service: $(packages) ## create the Service of a zone's Kazoo (ZONE=, YES=1)
	@$(asked)

kube-apply-service: $(packages) ## make that Service be as the config says
	@$(asked)

kube-delete-service: $(packages) ## delete that Service
	@$(asked)

kube-deploy: $(packages) ## deploy a zone's Kazoo as the config says
	@$(asked)

kube-deploy-edit: $(packages) ## edit a zone's run environment in your EDITOR, preview, apply, wait
	@$(asked)

kube-deploy-rollback: $(packages) ## bring back what a zone's Kazoo ran with before (TO=update)
	@$(asked) $(call given,TO,--to)

kube-rollout-status: $(packages) ## wait until a zone's Kazoo has rolled
	@$(kube)

kube-rollout-history: $(packages) ## show the updates, and what they changed in a zone's Kazoo
	@$(kube)

kube-delete-deployment: $(packages) ## delete a zone's Kazoo nodes; data stays
	@$(asked)

kube-logsf: $(packages) ## follow the log of a Kazoo pod (ZONE=, NODE=)
	@$(pod)

kube-logsft: $(packages) ## show the last 25 lines of it, then follow
	@$(pod)

kube-shell: $(packages) ## open a shell in a Kazoo pod
	@$(pod)

kazoo-maint-nodes: $(packages) ## ask a Kazoo node which nodes it knows
	@$(pod)

# What follows is for stacks on Docker and on Kubernetes: stack docker, unless another is named.
either = $(if $(filter-out file,$(origin STACK)),$(STACK),docker)
alike = $(kazoo) $@ --stack $(call quoted,$(either)) $(call given,ZONE,--zone) $(call given,NODE,--node)

init-account: $(packages) ## make the master account that the config names (ZONE=, NODE=)
	@$(alike)

init-apps: $(packages) ## make Monster UI's apps known to it (URL=, APPS=folder)
	@$(alike) $(call given,URL,--url) $(call given,APPS,--path)

get-master-account: $(packages) ## show it, as Kazoo has it (NAME=)
	@$(alike) $(call given,NAME,--name)

logs: $(packages) ## print the log of a Kazoo node
	@$(alike)

logsf: $(packages) ## follow it
	@$(alike)

shell: $(packages) ## open a shell where a Kazoo node runs
	@$(alike)

# What follows is for a stack on plain Docker: stack docker, unless another is named. ARGS go to docker, or to pulumi.
docker = $(kazoo) docker $@ --stack $(call quoted,$(either)) $(call flag,ARGS,-- $(ARGS))

build: $(packages) ## build the Kazoo image as the stack would
	@$(docker)

rebuild: $(packages) ## build it without Docker's cache
	@$(docker)

tag: $(packages) ## give the built image all its names (NAME=another)
	@$(docker) $(call given,NAME)

push: $(packages) ## push the built image, with the login of docker login
	@$(docker)

rmi: $(packages) ## remove the image from the Docker Engine
	@$(docker)

run: $(packages) ## open a shell in a new container of the image
	@$(docker)

launch: $(packages) ## run Kazoo alone, on Docker's default network
	@$(docker)

launch-net: $(packages) ## bring stack docker up: Kazoo, brokers and database on network local
	@$(docker)

create-network: $(packages) ## make the Docker network of the stack alone
	@$(docker)

launch-deps: $(packages) ## bring up the stack's brokers and database alone
	@$(docker)

kill-deps: $(packages) ## end them at once; their data stays
	@$(docker)

start: $(packages) ## start Kazoo's container again
	@$(docker)

stop: $(packages) ## stop Kazoo's container in order
	@$(docker)

kill: $(packages) ## end Kazoo's container at once
	@$(docker)

rm: $(packages) ## remove Kazoo's container
	@$(docker)

test: $(packages) ## lint, types and all tests
	@npm test

test-unit: $(packages) ## unit tests and golden manifests alone: a minute or two
	@npm run test:unit

e2e: $(packages) ## a ring of two datacenters with real pods, on a node of its own (root, Linux): minutes
	@npm run --silent test:e2e

bench: $(packages) ## the program beside plain kubectl, as ratios: minutes
	@npm run --silent bench

lint: $(packages) ## formatting, lint and types
	@npm run lint && npm run types

format: $(packages) ## format everything
	@npm run format

# A linked node_modules belongs to another folder: it is used as it is. What npm says is not the target's answer: eval "$(make -s env)".
$(packages): package-lock.json
	@test -L node_modules || npm ci >&2
	@touch -c $@
