#!/bin/sh
# Two workers, one of which is killed on the way: the table must be that of a sweep which nothing disturbed, byte for byte.
# PROTOGPU names the binary and SNAKEMAKE snakemake; the first argument a folder to work in, which is emptied.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
protogpu=${PROTOGPU:-$here/../../target/debug/protogpu}
snakemake=${SNAKEMAKE:-snakemake}
work=${1:?give a folder to work in, which is emptied}
rm -rf "$work"
mkdir -p "$work/pids"
cd "$work"
work=$(pwd)
# What the clock would choose would differ.
export PROTOGPU_TUNE=off PROTOGPU_PIPELINES=off
printf '{"tv_weight": [0.01, 0.02, 0.05], "scale": [[0.7, 1.3], [1, 1]]}\n' > grid.json
cat > config.yaml <<'CONFIG'
protogpu: ./worker
images: world
out: sweep
shards: 2
options: --grid grid.json --steps 8
retries: 3
threads: 1
mem_mb: 2000
minutes: 30
CONFIG

"$protogpu" synth --out world --images-per-class 3 --seed 5 --class cactus,moth
"$protogpu" sweep --images world --out alone --grid grid.json --steps 8

# Says which process it is before it becomes the worker.
cat > worker <<'WORKER'
#!/bin/sh
case $* in *--shard*) echo $$ > "pids/$(echo "$*" | sed 's|.*--shard \([0-9]*\)/.*|\1|')" ;; esac
exec "$REAL" "$@"
WORKER
chmod +x worker
export REAL="$protogpu"

"$snakemake" --snakefile "$here/Snakefile" --directory "$work" --cores 2 > snakemake.log 2>&1 &
workflow=$!

# Killed when its first point is there and the second is under way.
until ls sweep/shards/1/points/*.json > /dev/null 2>&1; do
    kill -0 $workflow 2> /dev/null || { cat snakemake.log; exit 1; }
    sleep 0.1
done
kill -9 "$(cat pids/1)"
killed=$(cat pids/1)
wait $workflow || { cat snakemake.log; exit 1; }

[ "$(cat pids/1)" != "$killed" ] || { echo "the killed worker was not begun again"; exit 1; }
grep -q "Trying to restart job" snakemake.log || { echo "snakemake restarted nothing"; cat snakemake.log; exit 1; }
rm -rf alone/kernels.json alone/means
diff -r alone sweep/whole
echo "one of two workers was killed and begun again; the table is that of a sweep which nothing disturbed"
