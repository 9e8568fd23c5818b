#!/bin/sh
# KIWI: build the image of a description, then look at it.
set -eu
description=${1:?the folder of config.xml}
target=${2:?where the image goes}
kiwi-ng system build --description "$description" --target-dir "$target"
pvgrub-sim boot --pvgrub amazon-1.05 "$target"/*.raw
