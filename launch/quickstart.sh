#!/usr/bin/env bash
# Installs what is missing, then trains and evaluates:  ./launch/quickstart.sh [--data.path=tickets.csv ...]
# It is `rca-dist train`, which starts `accelerate launch rca_dist/train.py`. Works from any directory.
set -euo pipefail
# shellcheck source=launch/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
rca_setup ""
exec "$rca_venv/bin/rca-dist" train "$@"
