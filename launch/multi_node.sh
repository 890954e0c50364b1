#!/usr/bin/env bash
# Several machines: run once on each:  ./launch/multi_node.sh [--config_file configs/accelerate/X.yaml] [--section.key=value ...]
# Under Slurm: srun --ntasks-per-node=1 launch/multi_node.sh ...   Rank 0 is always on the first machine.
set -euo pipefail
# shellcheck source=launch/setup.sh
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"

usage() {
  cat <<'TEXT'
usage: launch/multi_node.sh [--config_file ACCELERATE.yaml] [--section.key=value ...]      once on every machine

On plain machines, by environment:
  NNODES           number of machines
  NODE_RANK        0 on the first machine, 1 on the second, ...
  MASTER_ADDR      address of the first machine, as all others reach it
  MASTER_PORT      a free port there, the same on all machines; default 29500
  NPROC_PER_NODE   processes on each machine; default its number of GPUs, or 1

Under Slurm (inside a job, srun --ntasks-per-node=1 launch/multi_node.sh ...) all of these come from Slurm; those that are set win.

--config_file is e.g. configs/accelerate/fsdp2_multi_node.yaml; without it every process holds the whole model (DDP).
All the rest goes to rca_dist/train.py. The exit code of the first machine is the job's own.
TEXT
}

need() {
  [ -n "${!1:-}" ] || rca_fail "$1 is not set: $2 (--help lists all)"
}

whole() {
  case "${!1}" in
    '' | *[!0-9]*) rca_fail "$1=${!1} is not a whole number" ;;
  esac
}

# Address of the first node of this step. A guess such as localhost would make every node a world of its own.
head_address() {
  local hosts host node
  command -v scontrol >/dev/null 2>&1 ||
    rca_fail "MASTER_ADDR is not set and there is no scontrol here (a container?): export MASTER_ADDR in the batch script"
  hosts=$(scontrol show hostnames "${SLURM_STEP_NODELIST:-$SLURM_JOB_NODELIST}") && host=${hosts%%$'\n'*} && [ -n "$host" ] ||
    rca_fail "scontrol does not know the nodes of this step; export MASTER_ADDR in the batch script"
  node=$(scontrol show node "$host" -o) && node=${node#*NodeAddr=} && node=${node%% *} && [ -n "$node" ] ||
    rca_fail "scontrol does not know the address of $host; export MASTER_ADDR in the batch script"
  printf '%s\n' "$node"
}

from_slurm() {
  local tasks=${SLURM_STEP_NUM_TASKS:-$SLURM_STEP_NUM_NODES}
  [ "$tasks" = "$SLURM_STEP_NUM_NODES" ] ||
    rca_fail "srun started $tasks tasks on $SLURM_STEP_NUM_NODES nodes, but one launcher per node is wanted: srun --ntasks-per-node=1"
  NNODES=$SLURM_STEP_NUM_NODES
  NODE_RANK=${NODE_RANK:-$SLURM_NODEID}
  MASTER_PORT=${MASTER_PORT:-$((20000 + SLURM_JOB_ID % 20000))}
  [ -n "${MASTER_ADDR:-}" ] || MASTER_ADDR=$(head_address) || exit 2
}

case "${1:-}" in -h | --help) usage; exit 0 ;; esac
if [ -z "${NNODES:-}" ] && [ -n "${SLURM_STEP_NUM_NODES:-}" ]; then
  from_slurm
elif [ -z "${NNODES:-}" ] && [ -n "${SLURM_JOB_ID:-}" ]; then
  rca_fail "inside a Slurm job start it with srun: srun --ntasks-per-node=1 launch/multi_node.sh ..."
fi
need NNODES "the number of machines"
need NODE_RANK "0 on the first machine, 1 on the second"
need MASTER_ADDR "the address of the first machine"
MASTER_PORT=${MASTER_PORT:-29500}
for name in NNODES NODE_RANK MASTER_PORT; do whole "$name"; done
[ "$NNODES" -gt 0 ] || rca_fail "NNODES=$NNODES must be at least 1"
[ "$NODE_RANK" -lt "$NNODES" ] || rca_fail "NODE_RANK=$NODE_RANK must be below NNODES=$NNODES"
rca_setup ""
if [ -z "${NPROC_PER_NODE:-}" ]; then
  NPROC_PER_NODE=$("$rca_venv/bin/python" -c 'from rca_dist.runtime.launch import gpus; print(gpus() or 1)')
fi
whole NPROC_PER_NODE
[ "$NPROC_PER_NODE" -gt 0 ] || rca_fail "NPROC_PER_NODE=$NPROC_PER_NODE must be at least 1"
exec "$rca_venv/bin/rca-dist" train --num_machines "$NNODES" --machine_rank "$NODE_RANK" --main_process_ip "$MASTER_ADDR" \
  --main_process_port "$MASTER_PORT" --num_processes "$((NNODES * NPROC_PER_NODE))" "$@"
