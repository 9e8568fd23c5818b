#!/bin/sh
# Installs the Debian package in a root that is made for it, and walks through it there, as a user without rights:
# packaging/walk.sh DEB [SUITE]; needs mmdebstrap. Nothing of the root is left.
set -eu
deb=$(realpath "${1:?the package}")
suite=${2:-bookworm}
here=$(cd "$(dirname "$0")/.." && pwd)
export deb here
# $1 is the root, and the variables are seen by the shell that mmdebstrap starts.
# shellcheck disable=SC2016
exec mmdebstrap --quiet --dpkgopt=force-unsafe-io --variant=apt --include=zstd \
    --customize-hook='mkdir "$1/walk" && cp -R "$deb" "$here/packaging/check.sh" "$here/fixtures/images" "$1/walk"' \
    --customize-hook='chroot "$1" sh -c "apt-get -qq install -y -o APT::Install-Recommends=true /walk/*.deb >/dev/null"' \
    --customize-hook='chroot --userspec=nobody:nogroup "$1" sh /walk/check.sh /walk/images' \
    "$suite" /dev/null
