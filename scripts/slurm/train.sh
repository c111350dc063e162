#!/bin/bash
# One training run on several machines of a SLURM cluster:
#     sbatch --nodes 2 --gpus-per-node 4 scripts/slurm/train.sh RECIPE
# Started again, by hand or by SLURM after a machine failed, it goes on from its last checkpoint.
#SBATCH --job-name auricle
#SBATCH --ntasks-per-node 1
#SBATCH --cpus-per-task 16
#SBATCH --time 24:00:00
#SBATCH --requeue
#SBATCH --open-mode append

set -eu
first=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
srun --kill-on-bad-exit=1 torchrun \
    --nnodes "$SLURM_JOB_NUM_NODES" --nproc-per-node "${SLURM_GPUS_ON_NODE:-1}" \
    --rdzv-backend c10d --rdzv-id "$SLURM_JOB_ID" \
    --rdzv-endpoint "$first:$((20000 + SLURM_JOB_ID % 10000))" \
    -m auricle train "$@" --resume
