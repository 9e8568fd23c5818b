#!/bin/sh
# Builds the Containerfile with buildah on an image that is made of Debian's packages here, where no registry of images is
# needed, and walks through it: packaging/container.sh [OPTIONS FOR buildah build]; needs buildah and mmdebstrap.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
base=localhost/pvgrub-sim-base
# What the official image has: a python and a pip that install into the system.
# shellcheck disable=SC2016
mmdebstrap --quiet --dpkgopt=force-unsafe-io --variant=apt --include=python3,python3-pip,ca-certificates \
    --customize-hook='rm "$1"/usr/lib/python3*/EXTERNALLY-MANAGED' bookworm "$folder/base.tar"
container=$(buildah from scratch)
buildah add --quiet "$container" "$folder/base.tar" / >/dev/null
buildah commit --quiet --rm "$container" "$base" >/dev/null
# Whom this machine trusts, the build trusts too: package registries may be behind a proxy with a certificate of its own.
certificates=/etc/ssl/certs/ca-certificates.crt
buildah build --isolation chroot --pull-never --build-arg "BASE=$base" --volume "$certificates:$certificates:ro" \
    --tag localhost/pvgrub-sim "$@" "$here"
mkdir "$folder/images"
for image in boots demo ext4-today; do
    zstd -q -d "$here/fixtures/images/$image.img.zst" -o "$folder/images/$image.img"
done
cp "$here/packaging/check.sh" "$folder/images"
chmod -R a+rX "$folder"
container=$(buildah from --pull-never localhost/pvgrub-sim)
buildah run --isolation chroot --volume "$folder/images:/images:ro" "$container" -- sh /images/check.sh /images
buildah rm "$container" >/dev/null
