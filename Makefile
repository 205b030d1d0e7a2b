# What a person does with this project. `make` lists the targets.

tsx = node --import tsx
lab = $(tsx) lab/main.ts

# Everything but the list of targets runs on the Node that is pinned there, or a newer one of the machine.
ifneq ($(or $(MAKECMDGOALS),help),help)
node := $(shell sh lab/toolchain.sh node)
ifneq ($(.SHELLSTATUS),0)
$(error no Node to go on with)
endif
export PATH := $(if $(node),$(node):)$(PATH)
endif

.DEFAULT_GOAL := help
.PHONY: help demo demo-down example shell doctor status lab-up lab-down clean-lab test test-unit test-host test-faults test-e2e test-upgrade test-dual test-fresh bench lint

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: lab-up ## join a VM to a real mesh on this machine, and call it from a pod (root; the first time it builds for a quarter of an hour)
	$(lab) exec -- $(tsx) lab/demo.ts

demo-down: node_modules ## take the demonstration back, and stop the lab
	$(lab) exec -- $(tsx) lab/demo.ts down
	$(lab) down

example: node_modules ## an example of examples/ on this machine, shown and taken back: make example NAME=database (root)
	@test -f 'examples/$(NAME).yaml' || { echo 'make example NAME=..., one of: $(basename $(notdir $(wildcard examples/*.yaml)))'; exit 2; }
	$(lab) up --vms 3 --tests
	$(lab) exec -- $(tsx) test/examples/main.ts $(NAME)

shell: lab-up ## a shell inside the lab: kubectl, istioctl, pulumi, ssh vm1
	@$(lab) shell

doctor: node_modules ## look for what is wrong with the demonstration's mesh
	$(lab) exec -- npx istio-vm doctor --stack dev

status: node_modules ## what the demonstration's mesh is like now
	$(lab) exec -- npx istio-vm status --stack dev

lab-up: node_modules ## build what is missing of the lab, and start it
	$(lab) up

lab-down: node_modules ## stop the lab; its state stays
	$(lab) down

clean-lab: node_modules ## stop the lab, and forget its state
	$(lab) clean

test: node_modules ## all tests
	bash test/run.sh

test-unit: node_modules ## unit tests: seconds, neither root nor Go
	npm run --silent test:unit

test-host: node_modules ## tests of the host scripts, on real machines of the lab
	bash test/run.sh host

test-faults: node_modules ## lock-out, reboots, upgrades, the whole fault matrix, every way to replace a CA: two hours
	ISTIO_VM_FAULTS=1 ISTIO_VM_MATRIX=full bash test/run.sh host e2e

test-e2e: node_modules ## tests of the whole, on the lab
	bash test/run.sh e2e

test-upgrade: node_modules ## Istio is upgraded from 1.30 to 1.31 with hosts in the mesh, by revision and in place (root; a quarter of an hour, and builds 1.30 the first time)
	bash test/run.sh upgrade

test-dual: node_modules ## hosts that are in the mesh by IPv6, on a lab with both families of addresses (root; ten minutes)
	bash test/run.sh dual

test-fresh: node_modules ## what the README says, typed into a stock Debian with nothing of ours on it (root; half an hour)
	$(tsx) test/fresh/main.ts

bench: export LAB_NAME = bench
bench: node_modules ## how long joins take, next to plain ssh, and what a host costs the engine (root; a quarter of an hour)
	$(lab) up --vms 6
	$(lab) exec -- $(tsx) bench/main.ts; status=$$?; $(lab) clean && exit $$status

lint: node_modules ## style, types, format, shell scripts
	@command -v shellcheck >/dev/null || { apt-get update -qq && apt-get install -qq -y shellcheck; }
	npm run --silent lint

# `npm ci` writes this file last.
node_modules: node_modules/.package-lock.json
node_modules/.package-lock.json: package-lock.json
	npm ci
