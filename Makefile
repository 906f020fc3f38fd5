# Each target is one command. `make` alone lists them in groups.
STACK ?= dev

ifeq ($(shell command -v node),)
$(error Node.js is missing: install Node.js 20.19 or newer)
endif

kazoo := node tools/cli/kazoo.js
# Only arguments of make count, not exported variables (npm exports a NODE). given: an option with a value; flag: one without.
typed = $(if $(filter command,$(firstword $(origin $1))),$($1))
quoted = '$(subst ','\'',$1)'
given = $(if $(call typed,$1),$2 $(call quoted,$($1)))
flag = $(if $(call typed,$1),$2)
stack = --stack $(call quoted,$(STACK))
packages := node_modules/.package-lock.json

# kube: a zone on Kubernetes. either, alike: on Docker or Kubernetes; without STACK, the stack docker. docker: on Docker.
kube = $(kazoo) $@ $(stack) $(call given,ZONE,--zone)
asked = $(kube) $(call flag,YES,--yes)
runbook = $(asked) $(call flag,DRY_RUN,--dry-run)
each = $(if $(call typed,$1), $(call given,$1,$2))
regions = $(call each,REGION,--region)$(call each,JOBS,--jobs)
pod = $(kube) $(call given,NODE,--node)
either = $(if $(filter-out file,$(origin STACK)),$(STACK),docker)
alike = $(kazoo) $@ --stack $(call quoted,$(either)) $(call given,ZONE,--zone) $(call given,NODE,--node)
docker = $(kazoo) docker $@ --stack $(call quoted,$(either)) $(call flag,ARGS,-- $(ARGS))

.DEFAULT_GOAL := help
.PHONY: help $(shell sed -n 's/^\([a-z][a-z0-9-]*\):.*\#\# .*/\1/p' $(firstword $(MAKEFILE_LIST)))

##@ Every day (arguments: STACK=, ZONE=, NODE=; REGION=, JOBS= if regions have their own stacks)

up: $(packages) ## deploy a stack, or bring it up to date (YES=1: do not ask, FORCE=1: take back what others changed)
	@$(kazoo) up $(stack)$(regions) $(call flag,YES,--yes) $(call flag,FORCE,--force)

preview: $(packages) ## show what up would change
	@$(kazoo) preview $(stack)$(regions)

status: $(packages) ## show what is ready (JSON=1: for programs; WATCH=1: refresh)
	@$(kazoo) status $(stack)$(regions) $(call flag,JSON,--json) $(call flag,WATCH,--watch)

logsf: $(packages) ## follow the log of a Kazoo node (without STACK: the stack docker)
	@$(alike)

shell: $(packages) ## open a shell in the container of a Kazoo node (without STACK: the stack docker)
	@$(alike)

kube-deploy-edit: $(packages) ## edit a zone's run environment in EDITOR, preview, apply, wait (YES=1)
	@$(asked)

kube-deploy-rollback: $(packages) ## return a zone's Kazoo to an earlier update (TO=update, YES=1)
	@$(asked) $(call given,TO,--to)

preview-report: $(packages) ## write a report of what up would change, for a reviewer (OUT=folder)
	@$(kazoo) preview-report $(stack)$(regions) $(call given,OUT,--out)

drift: $(packages) ## report manual changes in the clusters (OUT=folder)
	@$(kazoo) drift $(stack)$(regions) $(call given,OUT,--out)

destroy: $(packages) ## remove a stack and everything it created (YES=1)
	@$(kazoo) destroy $(stack)$(regions) $(call flag,YES,--yes)

##@ Look at a stack

doctor: $(packages) ## examine it from inside its pods: what is wrong, why it matters, the fix (JSON=1: for programs)
	@$(kazoo) doctor $(stack) $(call flag,JSON,--json)

topology: $(packages) ## draw its regions, zones and rings, connections and copies (OUT=folder, LIVE=1: states)
	@$(kazoo) topology $(stack) $(call given,OUT,--out) $(call flag,LIVE,--live)

##@ The state of a stack

backup: $(packages) ## write the state with its secrets to an encrypted file (OUT=, PASSPHRASE_FILE= or RECIPIENT=)
	@$(kazoo) backup $(stack) $(call given,OUT,--out) $(call given,PASSPHRASE_FILE,--passphrase-file) $(call given,RECIPIENT,--recipient)

restore: $(packages) ## restore it from that file (FROM=, PASSPHRASE_FILE= or IDENTITY=, YES=1)
	@$(kazoo) restore $(stack) $(call given,FROM,--from) $(call given,PASSPHRASE_FILE,--passphrase-file) $(call given,IDENTITY,--identity) $(call flag,YES,--yes)

##@ Runbooks: changes in several steps, on Kubernetes (DRY_RUN=1: show the steps, YES=1)

drain: $(packages) ## take a zone out of service for maintenance; data stays
	@$(runbook)

return: $(packages) ## bring it back
	@$(runbook)

grow: $(packages) ## enlarge volumes while pods keep running (WORKLOAD=database or rabbitmq, TO=size)
	@$(runbook) $(call given,WORKLOAD,--workload) $(call given,TO,--to)

add: $(packages) ## add a datacenter to a ring (REGION=, DATACENTER=, RING=, CLUSTER=, CONTEXT= if the cluster is new, COPIES=)
	@$(kazoo) $@ $(stack) $(call given,REGION,--region) $(call given,DATACENTER,--datacenter) $(call given,RING,--ring) $(call given,CLUSTER,--cluster) $(call given,CONTEXT,--context) $(call given,COPIES,--copies) $(call flag,YES,--yes) $(call flag,DRY_RUN,--dry-run)

scale: $(packages) ## change the number of a zone's database nodes (TO=number); shards move accordingly
	@$(runbook) $(call given,TO,--to)

remove: $(packages) ## remove a datacenter: move its shards to the ring's other zones, delete its resources (COPIES=)
	@$(runbook) $(call given,COPIES,--copies)

rebalance: $(packages) ## move existing shards to where copies are wanted, evenly over nodes (RING=, WITHOUT=zone, COPIES=)
	@$(kazoo) $@ $(stack) $(call given,RING,--ring) $(call given,WITHOUT,--without) $(call given,COPIES,--copies) $(call flag,YES,--yes) $(call flag,DRY_RUN,--dry-run)

rotate: $(packages) ## replace a credential (WHAT=rabbitmq, database, cookie, database-cookie or master-account, RING=, KEEP=1: keep the old one)
	@$(kazoo) $@ $(call given,WHAT) $(stack) $(call given,RING,--ring) $(call flag,KEEP,--keep) $(call flag,YES,--yes) $(call flag,DRY_RUN,--dry-run)

upgrade: $(packages) ## upgrade Kazoo, brokers or database (WHAT=kazoo, rabbitmq or database, TO=version, RING=, IMAGE=)
	@$(kazoo) $@ $(call given,WHAT) $(stack) $(call given,RING,--ring) $(call given,TO,--to) $(call given,IMAGE,--image) $(call flag,YES,--yes) $(call flag,DRY_RUN,--dry-run)

split: $(packages) ## give each region of a live stack a stack of its own; no cluster is touched
	@$(kazoo) $@ $(stack) $(call flag,YES,--yes) $(call flag,DRY_RUN,--dry-run)

join: $(packages) ## merge the stacks of all regions into one; no cluster is touched
	@$(kazoo) $@ $(stack) $(call flag,YES,--yes) $(call flag,DRY_RUN,--dry-run)

rename: $(packages) ## give a live stack another name (TO=name); no cluster is touched
	@$(kazoo) $@ $(stack) $(call given,TO,--to) $(call flag,YES,--yes) $(call flag,DRY_RUN,--dry-run)

move-images: $(packages) ## run the same images from another registry or mirror, after comparing digests (FROM=, TO=)
	@$(kazoo) $@ $(stack) $(call given,FROM,--from) $(call given,TO,--to) $(call flag,YES,--yes) $(call flag,DRY_RUN,--dry-run)

use-context: $(packages) ## reach a cluster through another context (CLUSTER=, CONTEXT=, KUBECONFIG_FILE=); no object is touched
	@$(kazoo) $@ $(stack) $(call given,CLUSTER,--cluster) $(call given,CONTEXT,--context) $(call given,KUBECONFIG_FILE,--kubeconfig) $(call flag,YES,--yes) $(call flag,DRY_RUN,--dry-run)

##@ A zone's Kazoo on Kubernetes

kube-deploy: $(packages) ## deploy a zone's Kazoo as configured (YES=1)
	@$(asked)

kube-rollout-status: $(packages) ## wait until a zone's Kazoo is rolled out
	@$(kube)

kube-rollout-history: $(packages) ## list the stack's updates and what they changed in a zone's Kazoo
	@$(kube)

kube-delete-deployment: $(packages) ## delete a zone's Kazoo nodes; data stays (YES=1)
	@$(asked)

kube-deploy-service: $(packages) ## create the Service of a zone's Kazoo (YES=1)
	@$(asked)

kube-apply-service: $(packages) ## update that Service as configured (YES=1)
	@$(asked)

kube-delete-service: $(packages) ## delete that Service (YES=1)
	@$(asked)

kube-logsf: $(packages) ## follow the log of a Kazoo pod from its beginning
	@$(pod)

kube-logsft: $(packages) ## follow it from its last 25 lines
	@$(pod)

kube-shell: $(packages) ## open a shell in a Kazoo pod
	@$(pod)

kazoo-maint-nodes: $(packages) ## ask a Kazoo node which nodes it knows
	@$(pod)

##@ Kazoo on Docker or Kubernetes (without STACK: the stack docker)

logs: $(packages) ## print the log of a Kazoo node
	@$(alike)

init-account: $(packages) ## create the master account that the config names
	@$(alike)

init-apps: $(packages) ## register Monster UI's apps (URL=, APPS=folder)
	@$(alike) $(call given,URL,--url) $(call given,APPS,--path)

get-master-account: $(packages) ## show the master account, as Kazoo reports it (NAME=)
	@$(alike) $(call given,NAME,--name)

##@ Docker alone (without STACK: the stack docker; ARGS= go to docker, or to pulumi)

build: $(packages) ## build the Kazoo image as the stack would
	@$(docker)

rebuild: $(packages) ## build it without the cache
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

launch-net: $(packages) ## start Kazoo, brokers and database on the network local
	@$(docker)

create-network: $(packages) ## create the stack's network
	@$(docker)

launch-deps: $(packages) ## start the stack's brokers and database
	@$(docker)

kill-deps: $(packages) ## kill brokers and database; their data stays
	@$(docker)

start: $(packages) ## start Kazoo's stopped container
	@$(docker)

stop: $(packages) ## stop Kazoo's container gracefully
	@$(docker)

kill: $(packages) ## kill Kazoo's container
	@$(docker)

rm: $(packages) ## remove Kazoo's container
	@$(docker)

##@ Sandbox and tools

sandbox-up: $(packages) ## start the sandbox clusters of a stack
	@$(kazoo) sandbox up $(stack)

sandbox-down: $(packages) ## stop all sandbox clusters (PURGE=1: remove their data as well)
	@$(kazoo) sandbox down $(call flag,PURGE,--purge)

sandbox-status: $(packages) ## show the sandbox clusters
	@$(kazoo) sandbox status

toolchain: $(packages) ## provide Pulumi, its plugins and the sandbox's programs (TOOLCHAIN=download, build, system)
	@$(kazoo) toolchain

env: $(packages) ## print what plain pulumi and kubectl need: eval "$(make -s env)"
	@$(kazoo) env $(stack)

images: $(packages) ## list the images that a stack pulls (JSON=1: for programs)
	@$(kazoo) images $(stack) $(call flag,JSON,--json)

stacks: $(packages) ## list the Pulumi stacks of a stack's file as JSON, for CI (ORDER=1: its regions in the order of an up)
	@$(kazoo) stacks $(call quoted,$(STACK)) $(call flag,ORDER,--order)

operator: $(packages) ## write the Stacks for the Pulumi Kubernetes Operator (OUT=file, BRANCH=, COMMIT=, NEW=1: first deployment)
	@$(kazoo) operator $(stack) $(call given,OUT,--out) $(call given,REPOSITORY,--repository) $(call given,BRANCH,--branch) $(call given,COMMIT,--commit) $(call given,NAMESPACE,--namespace) $(call given,BACKEND,--backend) $(call flag,NEW,--new)

render: $(packages) ## render Kazoo's configuration from your environment (OUT=folder)
	@$(kazoo) render $(call given,OUT,--out)

##@ Development

test: $(packages) ## lint, types and all tests
	@npm test

test-unit: $(packages) ## unit tests and golden files: three minutes
	@npm run test:unit

fuzz: $(packages) ## more random input than in make test (FUZZ=times, 10 unless given): minutes
	@FUZZ=$(or $(call typed,FUZZ),10) npm run --silent test:fuzz

faults: $(packages) ## break things on the sandbox, and see it recover (KILLS=points, 10 unless given; SEED=): minutes
	@KILLS=$(or $(call typed,KILLS),10) $(if $(call typed,SEED),SEED=$(SEED)) npm run --silent test:faults

e2e: $(packages) ## a ring of two datacenters with real pods (root, Linux): minutes
	@npm run --silent test:e2e

bench: $(packages) ## compare the program with Helm and kubectl (DATACENTERS=1,8,32,64 ROUNDS=): an hour
	@$(if $(call typed,DATACENTERS),DATACENTERS=$(call quoted,$(DATACENTERS))) $(if $(call typed,ROUNDS),ROUNDS=$(call quoted,$(ROUNDS))) npm run --silent bench

lint: $(packages) ## check formatting, lint and types
	@npm run lint && npm run types

format: $(packages) ## format everything
	@npm run format

help: ## list the targets
	@awk -F':.*## ' '/^##@/ { printf "\n%s\n", substr($$0, 5) } /^[a-z][a-z0-9-]*:.*## / { printf "  %-22s  %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# A linked node_modules belongs to another folder and is not changed. npm writes to standard error, so that a target's
# output stays clean: eval "$(make -s env)".
$(packages): package-lock.json
	@node tools/cli/nodeVersion.js
	@test -L node_modules || npm ci >&2 || { printf 'error: npm could not install the packages\nnext: see its messages above; check the network, and the proxy that npm uses (npm config get proxy)\n' >&2; exit 1; }
	@touch -c $@
