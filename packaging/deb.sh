#!/bin/sh
# Makes the Debian source package and builds it: packaging/deb.sh FOLDER, in which the results come to lie.
# Needs what `apt-get build-dep` would name: debhelper, dh-python, pybuild-plugin-pyproject, python3-all, python3-hatchling.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
out=${1:?where the packages shall go}
mkdir -p "$out"
out=$(cd "$out" && pwd)
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' "$here/pvgrub_sim/__init__.py")
tree=$out/pvgrub-sim-$version
rm -rf "$tree"
mkdir "$tree"
# What the package is made of; the fixtures of the tests are none of it.
parts="pvgrub_sim man docs pyproject.toml README.md LICENSE CHANGELOG.md"
# shellcheck disable=SC2086
if when=$(git -C "$here" log -1 --format=%ct 2>/dev/null); then
    # The same bytes for the same commit.
    git -C "$here" archive HEAD -- $parts | tar -x -C "$tree"
else
    when=${SOURCE_DATE_EPOCH:-$(date +%s)}
    tar -C "$here" --exclude='__pycache__' -cf - $parts | tar -x -C "$tree"
fi
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$when" -C "$out" -cf - "pvgrub-sim-$version" |
    gzip -9n > "$out/pvgrub-sim_$version.orig.tar.gz"
cp -R "$here/packaging/debian" "$tree/debian"
cd "$tree"
# Debian's own Python, whatever else is on the PATH.
PATH=/usr/sbin:/usr/bin:/sbin:/bin SOURCE_DATE_EPOCH=$when dpkg-buildpackage --no-sign
