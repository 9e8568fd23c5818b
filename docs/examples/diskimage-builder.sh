#!/bin/sh
# diskimage-builder: a raw image without a boot loader of its own, for PV-GRUB, and a look at it.
set -eu
name=${1:?the name of the image}
disk-image-create -t raw -o "$name" debian-minimal
pvgrub-sim boot --pvgrub amazon-1.05 "$name.raw"
