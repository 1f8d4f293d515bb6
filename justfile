# Holdfast's recipes; `just` lists them. The tools of the deployment are installed into target/venv when first needed.

export SAM_CLI_TELEMETRY := "0"
# cargo-lambda and zig come with the venv.
export PATH := justfile_directory() / "target/venv/bin:" + env("PATH")

here := if arch() == "aarch64" { "arm64" } else { "x86_64" }

# Lists the recipes
default:
    @just --list

# The whole system on this machine
run *args:
    cargo run -- {{ args }}

# Plays the main job on this machine, from checkout to automatic release
demo:
    cargo run -- demo

# Every test
test *args:
    cargo test --workspace {{ args }}

# Seeded bugs, put into a copy of the tree one after the other: the proofs must catch each
canaries *names:
    tests/canaries.py {{ names }}

# Bad days, so many of them; `seed=17` plays one again and tells its story
simulate seeds="500" seed="":
    {{ if seed == "" { "HOLDFAST_SEEDS=" + seeds } else { "HOLDFAST_SEED=" + seed } }} cargo test -p holdfast-tests --test proofs simulation -- --nocapture

# Races, so many rounds of the great one
races rounds="20000":
    HOLDFAST_RACES={{ rounds }} cargo test -p holdfast-tests --test proofs races

# Format, lints and documentation, as .ci/run checks them
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps

# docs/LIFECYCLE.md, from the tables that the code obeys
docs:
    UPDATE_DOCS=1 cargo test -p escrow-domain --test main document

# Everything that must hold before a change is taken
check:
    .ci/run

# The API's document and the deployment's template: routes written anew, both checked
infra: _tools
    infra/routes.py
    infra/check_openapi.py
    sam validate --lint --region eu-central-1

# The release binaries of all functions, as `sam deploy` takes them
build-lambdas architecture="arm64": _tools
    rustup target add {{ if architecture == "arm64" { "aarch64" } else { "x86_64" } }}-unknown-linux-gnu
    sam build --parameter-overrides Architecture={{ architecture }}

# Into your own AWS account; asks what it must know
deploy *args: build-lambdas
    sam deploy --guided {{ args }}

# Release binaries on an AWS emulator on this machine, and the black-box flows against them (`--keep` leaves it running)
deploy-emulator *args: (build-lambdas here)
    cargo build --package holdfast
    python3 -m venv target/emulator-venv
    target/emulator-venv/bin/pip install --quiet --disable-pip-version-check -r infra/emulator/requirements.txt
    target/emulator-venv/bin/python infra/emulator/run.py {{ args }}

_tools:
    @.ci/tools
