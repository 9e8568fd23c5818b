#!/bin/sh
# Walks through what a new user does, with the pvgrub-sim that is first on the PATH: packaging/check.sh IMAGES
# IMAGES: the folder of the bundled images (fixtures/images), each packed with zstd, or unpacked.
set -eu
images=$(cd "${1:?the folder of the images}" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir images
for name in boots demo ext4-today; do
    if test -e "$images/$name.img"; then
        cp "$images/$name.img" images
    else
        zstd -q -d "$images/$name.img.zst" -o "images/$name.img"
    fi
done

pvgrub-sim --version
pvgrub-sim boot images/boots.img > boots.txt
grep -q '^images/boots.img: boots$' boots.txt

status=0
pvgrub-sim boot images/demo.img > demo.txt || status=$?
test "$status" = 3
grep -q 'mended by: step 1' demo.txt

pvgrub-sim fix images/demo.img -o fixed.img
pvgrub-sim boot --quiet fixed.img

status=0
pvgrub-sim scan --quiet --no-findings --jobs 1 --store scan.db --pvgrub amazon-1.05 images || status=$?
test "$status" = 1
pvgrub-sim fleet scan.db --format html -o report.html
grep -q '<html' report.html

pvgrub-sim boot --format html -o one.html images/demo.img || test $? = 3
grep -q '<!DOCTYPE html>' one.html
pvgrub-sim completion bash > completion.bash
bash -n completion.bash
pvgrub-sim explain kernel-missing > page.txt
echo "all of it works: $(pvgrub-sim --version), $(command -v pvgrub-sim)"
