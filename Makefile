# The steps of each target are in scripts/, and each script says at its top what it does.
.PHONY: help demo run test fuzz

help: ## what there is
	@sed -n 's/^\([a-z]*\):.*## /make \1  /p' Makefile

demo: ## the gate's main job before your eyes, on a scratch database
	@scripts/demo

run: ## the gate for real use: 127.0.0.1:8080, SQLite in ./data
	@scripts/run

test: ## everything that must hold before a commit is pushed
	@scripts/test

fuzz: ## each fuzz target for a minute: tokens, claims, headers, handshakes (not part of `make test`)
	@scripts/fuzz
