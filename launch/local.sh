#!/usr/bin/env bash
# Several processes on this machine:  ./launch/local.sh N [--config_file configs/accelerate/X.yaml] [--section.key=value ...]
# On GPUs where there are at least N, else on the CPU. Works from any directory; the exit code is the job's own.
set -euo pipefail
# shellcheck source=launch/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

usage() {
  cat <<'TEXT'
usage: launch/local.sh N [--config_file ACCELERATE.yaml] [--section.key=value ...]

  N                the number of processes; N GPUs are used if there are as many, else the CPU's cores are shared
  --config_file    how they share the model, e.g. configs/accelerate/fsdp2.yaml; without it each holds all of it (DDP)
  all the rest     goes to rca_dist/train.py; `rca-dist train --help` lists the settings

  OMP_NUM_THREADS  threads of each process; default cores / N
TEXT
}

case "${1:-}" in
  -h | --help) usage; exit 0 ;;
  '' | *[!0-9]* | 0*) rca_fail "the first argument must be the number of processes, from 1: launch/local.sh 2 [arguments]" ;;
esac
processes=$1
shift
rca_setup ""
gpus=$("$rca_venv/bin/python" -c 'from rca_dist.runtime.launch import gpus; print(gpus())')
if [ "$gpus" -gt 0 ] && [ "$gpus" -lt "$processes" ]; then
  printf 'local.sh: %s processes but %s GPU(s): running on the CPU\n' "$processes" "$gpus" >&2
  export CUDA_VISIBLE_DEVICES=''
fi
exec "$rca_venv/bin/rca-dist" train --num_processes "$processes" "$@"
