#!/usr/bin/env bash
# Installs what is missing, then runs the tests:  ./launch/test.sh [--all|--unit] [pytest arguments]
#   --unit   under 2 minutes: no test that starts other processes
#   (none)   under 15 minutes: all but those marked slow or slurm
#   --all    everything that this machine can run
set -euo pipefail
# shellcheck source=launch/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
select=(-m "not slow and not slurm")
case "${1:-}" in
  --all) select=(); shift ;;
  --unit) select=(-m "not slow and not slurm and not process"); shift ;;
esac
rca_setup dev
cd "$rca_root"
exec env HF_HUB_OFFLINE=1 WANDB_MODE=offline "$rca_venv/bin/python" -m pytest "${select[@]}" "$@"
