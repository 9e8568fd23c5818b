"""The kernel loaders of Xen's trees, as data: what each accepts, and how it words what it does not.

A loader is a small delta on the one before it; `since` names the commit that made it (github.com/xen-project/xen). The
source is that of PV-GRUB's build: tools/libxc (later tools/libs/guest), xen/common/libelf, stubdom/grub/kexec.c.
"""

from __future__ import annotations

from pvgrub_sim.values import NamedTuple

GZIP = frozenset({"gzip"})
XEN_43 = frozenset({"gzip", "bzip2", "lzma", "xz", "lzo"})
"""What the unsafe decoders that Xen 4.3 brought to Mini-OS unpack."""
AMAZON_104 = frozenset({"gzip", "bzip2", "lzo", "xz"})
"""What AWS says of PV-GRUB 1.04 ("User Provided Kernels")."""

OLD_FEATURES = frozenset(
    {
        "writable_page_tables",
        "writable_descriptor_tables",
        "auto_translated_physmap",
        "supervisor_mode_kernel",
        "pae_pgdir_above_4gb",
    }
)


class Loader(NamedTuple):
    """The kernel loader of one tree of Xen. The defaults are those of Xen 4.0.0.

    tree: the release, or the head of the stable branch. since: what made it. payloads: bzImage payload formats that
    it unpacks. recognised: formats that it knows by name only, and complains of by that name. checks_place: a
    payload must lie inside the file. bounded: libelf reads nothing outside of the image (there are zeros for us
    where it does). reports: messages go through xentoollog, `xc: error: …`; else `ERROR …`. features: names that a
    kernel may require; strict_features: any other name is refused, required or not. skips_arm: notes of ARM kernels
    are not checked. shows_strings: the complaint about notes quotes them. first_section: 1 where libelf passes over
    section 0. symtab_from: where the BSD symbol table is taken to begin: `virtual` (a mistake) or `physical`.
    symtab_size: of which it is made: `every-table`, `declared` or `real` sizes. lz4: how its decoder checks for
    overruns: `unchecked`, `broken` (on x86_64, but for payloads without matches of 4 to 7 bytes) or `checked`.
    probes_notes: the ELF loader looks into the notes, silently, before it says that it is the one.
    phys32_is_enough: a kernel with the note PHYS32_ENTRY needs no others. unknown_machine: what it says of machines
    it does not know; "" where it takes them. needs_section_names: an ELF file without their table is refused.
    checks_guest_type: libxc itself refuses what Xen does not run, which else is left to PV-GRUB. moved: lines that
    console logs show at another place than the tree's source. bare_probe: "kernel is not a bzImage" is one bare
    line.
    """

    tree: str
    since: str
    payloads: frozenset[str] = GZIP
    recognised: frozenset[str] = frozenset({"bzip2", "lzma"})
    checks_place: bool = False
    bounded: bool = False
    reports: bool = False
    features: frozenset[str] = OLD_FEATURES
    strict_features: bool = True
    skips_arm: bool = False
    shows_strings: bool = False
    first_section: int = 0
    symtab_from: str = "virtual"
    symtab_size: str = "every-table"
    lz4: str = "unchecked"
    probes_notes: bool = False
    phys32_is_enough: bool = False
    unknown_machine: str = ""
    needs_section_names: bool = True
    checks_guest_type: bool = False
    moved: tuple[tuple[str, int], ...] = ()
    bare_probe: bool = False

    @property
    def xen(self) -> tuple[int, int]:
        """The release as two numbers."""
        major, minor = self.tree.split(".")[:2]
        return int(major), int(minor)

    @property
    def reading(self) -> tuple[object, ...]:
        """What decides how notes are read: equal for loaders that read the same in any kernel."""
        return self.features, self.strict_features, self.bounded, self.first_section

    @property
    def rules(self) -> Loader:
        """What decides of a kernel: equal for trees that accept the same and refuse the same, whatever the words."""
        words = "unknown image type" if self.unknown_machine else ""
        plain = self._replace(tree="", since="", moved=(), bare_probe=False, unknown_machine=words)
        return plain._replace(reports=False, shows_strings=False)


V4_0_0 = Loader("4.0.0", "RELEASE-4.0.0, 2010-04-07")
V4_0 = V4_0_0._replace(tree="4.0", since="95b7af4f96: CVE-2011-1583, payloads must lie in the file", checks_place=True)
V4_1 = V4_0._replace(
    tree="4.1",
    since="5e73e3548c, c2c4e65d96: xz and lzo, by libraries that Mini-OS lacks; 39923542bb: XSA-55, libelf is bounded",
    recognised=frozenset({"bzip2", "lzma", "xz", "lzo"}),
    bounded=True,
    reports=True,
)
V4_2 = V4_1._replace(
    tree="4.2",
    since="1dedb82654: no word on what is no bzImage; ec029aaa9a: dom0, and unknown features pass; a03bc285bd: ARM",
    features=OLD_FEATURES | {"dom0"},
    strict_features=False,
    skips_arm=True,
)
V4_3 = V4_2._replace(
    tree="4.3", since="592d3ef961: Mini-OS has the hypervisor's decoders", payloads=XEN_43, recognised=frozenset()
)
V4_4_0 = V4_3._replace(
    tree="4.4.0",
    since="84f04d8f0d: lz4; 30832c06a8: hvm_callback_vector; e6564c6348: notes are quoted",
    payloads=XEN_43 | {"lz4"},
    features=OLD_FEATURES | {"dom0", "hvm_callback_vector"},
    shows_strings=True,
)
V4_4 = V4_4_0._replace(
    tree="4.4",
    since="4328fdf387, ce516e8880: lz4's checks; 472bdfefad: symbol table",
    lz4="broken",
    symtab_from="physical",
)
V4_5 = V4_4._replace(tree="4.5", since="line numbers only")
V4_6 = V4_5._replace(tree="4.6", since="23fc18bf2d: section 0 is passed over", first_section=1)
V4_7 = V4_6._replace(
    tree="4.7",
    since="ad787bafcd: the ELF loader probes for notes; ed04ca9598: one symbol table",
    probes_notes=True,
    symtab_size="declared",
)
V4_8 = V4_7._replace(tree="4.8", since="e5745b86e6: symbol tables of 32-bit kernels", symtab_size="real")
V4_9 = V4_8._replace(tree="4.9", since="line numbers only")
V4_10 = V4_9._replace(
    tree="4.10",
    since="4621c10f48: PHYS32_ENTRY is enough; fd6e49ecae: lz4 again on x86_64",
    phys32_is_enough=True,
    lz4="checked",
)
V4_11 = V4_10._replace(
    tree="4.11", since="37f1a96888: unknown machines are refused", unknown_machine="unkown image type"
)
V4_12 = V4_11._replace(tree="4.12", since="95836e7202: a word is spelt right", unknown_machine="unknown image type")
V4_13 = V4_12._replace(tree="4.13", since="582a298b21: section names are not wanted", needs_section_names=False)
V4_14 = V4_13._replace(tree="4.14", since="line numbers only")
V4_15 = V4_14._replace(
    tree="4.15",
    since="8169f82049: zstd; e3dd624e48: files are called xg_dom_*.c",
    payloads=XEN_43 | {"lz4", "zstd"},
)
V4_16 = V4_15._replace(
    tree="4.16",
    since="1787cc1679: the guest type is checked by libxc; 632cbaf124: PHYS32_ENTRY is for PVH",
    phys32_is_enough=False,
    checks_guest_type=True,
)
V4_17 = V4_16._replace(tree="4.17", since="line numbers only")

STABLE = {
    loader.tree: loader
    for loader in (
        *(V4_0_0, V4_0, V4_1, V4_2, V4_3, V4_4_0, V4_4, V4_5, V4_6, V4_7, V4_8, V4_9, V4_10, V4_11, V4_12, V4_13),
        *(V4_14, V4_15, V4_16, V4_17),
        *(V4_17._replace(tree=f"4.{minor}") for minor in range(18, 22)),
    )
}
"""The loaders by tree, oldest first."""
NEWEST = STABLE["4.21"]

AMAZON_2010 = V4_0_0._replace(
    since="the tree of Xen 4.0.0 with small changes, by console logs", moved=(("no_loader", 523),), bare_probe=True
)
"""PV-GRUB 1.01 and 1.02: a log of 2010 with FreeBSD's loader as the kernel."""
AMAZON_2012 = AMAZON_2010._replace(moved=(("no_loader", 523), ("unknown", 394)))
"""PV-GRUB 1.03: a log of 2014 with an xz kernel."""
AMAZON_2013 = V4_3._replace(payloads=AMAZON_104)
"""PV-GRUB 1.04 and 1.05."""
