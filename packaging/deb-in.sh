#!/bin/sh
# Builds the Debian package in a root of a suite, of Debian's packages alone, and lets lintian look at it there:
# packaging/deb-in.sh SUITE FOLDER; needs mmdebstrap. The results come to lie in the folder, nothing of the root is left.
set -eu
suite=${1:?the suite, e.g. trixie}
out=${2:?where the packages shall go}
here=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$out"
out=$(cd "$out" && pwd)
SOURCE_DATE_EPOCH=$(git -C "$here" log -1 --format=%ct)
export here out SOURCE_DATE_EPOCH
# $1 is the root, and the variables are seen by the shell that mmdebstrap starts.
# shellcheck disable=SC2016
exec mmdebstrap --quiet --dpkgopt=force-unsafe-io --variant=buildd \
    --include=debhelper,dh-python,pybuild-plugin-pyproject,python3-all,python3-hatchling,lintian \
    --customize-hook='mkdir -p "$1/build/source" && git -C "$here" archive HEAD | tar -x -C "$1/build/source"' \
    --customize-hook='chroot "$1" sh /build/source/packaging/deb.sh /build/out' \
    --customize-hook='chroot "$1" sh -c "lintian --fail-on error --allow-root /build/out/*.changes"' \
    --customize-hook='find "$1/build/out" -maxdepth 1 -type f -exec cp {} "$out" ";"' \
    "$suite" /dev/null
