# Packer: the image that a qemu builder has made is looked at before anything is uploaded.
source "qemu" "guest" {
  iso_url          = "debian.iso"
  iso_checksum     = "none"
  output_directory = "output"
  vm_name          = "disk.img"
  format           = "raw"
  ssh_username     = "root"
}

build {
  sources = ["source.qemu.guest"]

  post-processor "shell-local" {
    inline = ["pvgrub-sim boot --pvgrub amazon-1.05 output/disk.img"]
  }
}
