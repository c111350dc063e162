#!/bin/sh
# The two stages of the paper from recordings to a caption, and preference optimisation, at debug size, in minutes:
#     sh scripts/paper/rehearsal.sh [MANIFEST [CHANGE]...]
# MANIFEST has the splits train and val; without one, or "", it is the example recordings'. CHANGEs, such
# as training.epochs=3, hold for every stage. Results go to runs/rehearsal, or where REHEARSAL says.
set -eu
manifest=${1:+$(realpath "$1")}
[ $# -eq 0 ] || shift
cd "$(dirname "$0")/../.."
work=$(realpath -m "${REHEARSAL:-runs/rehearsal}")
rm -rf "$work/pretrain" "$work/finetune" "$work/preference"

if [ -z "$manifest" ]; then
    manifest=$work/examples.jsonl
    auricle data folder examples -o "$manifest"
fi
auricle data check "$manifest"
rm -f "$work/answers.jsonl"
auricle mixup generate "$manifest" --provider local --count 12 --output "$work/answers.jsonl" # no language model needed
auricle mixup filter "$work/answers.jsonl" --output "$work/mixups.jsonl"

train() { # STAGE TRAINING-MANIFESTS [CHANGE]...
    stage=$1 manifests=$2
    shift 2
    set -- "paper/$stage" paper/debug "name=rehearsal-$stage" "out=$work/$stage" \
        "data.train=$manifests" "data.validation=$manifest" "data.cache=$work/cache" "$@"
    auricle train "$@" --dry-run
    auricle train "$@"
}
train pretrain "['$manifest', '$work/mixups.jsonl']" "$@"
train finetune "$manifest" "start=$work/pretrain" "$@"
train preference "$manifest" "start=$work/finetune" training.epochs=5 training.preference.reward=similarity \
    training.preference.candidates=8 "$@" # SPIDEr-FL takes SPICE

auricle caption examples/birds-singing.ogg --model "$work/finetune"
