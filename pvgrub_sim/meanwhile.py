"""What most images have need of later on, imported while the first of their bytes are unpacked."""

from __future__ import annotations

from pvgrub_sim.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def imports(findings: bool) -> Iterator[None]:
    """Import the modules a few at a time; between two steps there is time to store what has been unpacked.

    findings: whether those that look for causes and remedies are wanted too.
    """
    import pvgrub_sim.grub.file.gunzip

    yield
    import pvgrub_sim.grub.fs.ext2.driver

    yield
    import pvgrub_sim.xen.loader  # noqa: F401  (for later, as all of these)

    yield
    from pvgrub_sim.deflate import deflate_library
    from pvgrub_sim.digest import openssl_sha256

    openssl_sha256()
    deflate_library()
    yield
    if findings:
        yield from _of_findings()


def _of_findings() -> Iterator[None]:
    import pvgrub_sim.survey.ext

    yield
    import pvgrub_sim.survey.picture

    yield
    import pvgrub_sim.findings.facts.devices

    yield
    import pvgrub_sim.initramfs.contents
    import pvgrub_sim.initramfs.look

    yield
    import pvgrub_sim.findings.facts.initrds
    import pvgrub_sim.findings.facts.loader_configs

    yield
    import pvgrub_sim.findings.facts.newer_kernels
    import pvgrub_sim.findings.facts.root

    yield
    import pvgrub_sim.findings.facts.root_files
    import pvgrub_sim.findings.facts.root_names
    import pvgrub_sim.findings.facts.root_spec
    import pvgrub_sim.profiles.kernel_troubles  # noqa: F401  (for later, as all of these)

    yield
    from pvgrub_sim.findings.examine import all_rules

    all_rules()
    yield
