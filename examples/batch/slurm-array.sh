#!/usr/bin/env bash
# logmill as a Slurm array of sixteen tasks that share an archive: sbatch slurm-array.sh ARCHIVE LAKE
# A task that is requeued goes on from its ledger. The array begins at 0, as the parts of --shard do.
#SBATCH --job-name=logmill-reprocess
#SBATCH --array=0-15
#SBATCH --cpus-per-task=4
#SBATCH --mem=2G
#SBATCH --requeue
#SBATCH --signal=B:TERM@300
set -euo pipefail

archive=${1:?usage: sbatch slurm-array.sh ARCHIVE LAKE} lake=${2:?usage: sbatch slurm-array.sh ARCHIVE LAKE}
part=$SLURM_ARRAY_TASK_ID parts=${SLURM_ARRAY_TASK_COUNT:-16}
mkdir -p "$lake-state"

# Slurm's warning goes to this shell; logmill finishes what it has begun, commits, and the requeued task goes on.
logmill run "$archive" --to "parquet:$lake" --rejects "$lake-rejects" \
  --state "$lake-state/shard-$part.state" --shard "$part/$parts" --stats "$lake-state/shard-$part.json" &
trap 'kill -TERM $! 2>/dev/null || true' TERM
code=0
wait $! || code=$?
if [ "$code" -gt 128 ]; then wait $! || code=$?; fi
[ "$code" -eq 3 ] && code=0 # finished; the summary names what was not read
exit "$code"
