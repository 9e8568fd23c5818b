"""The lines at which each tree's loader stands when it complains: what `xc_dom_bzimageloader.c:673` is made of.

Read from tools/libxc/xc_dom_*.c (from 4.15 on tools/libs/guest/xg_dom_*.c) of the tree that Loader.tree names. Where a
call takes several lines it is the first that counts, as with GCC from version 9 on; older compilers name the last.
"""

from __future__ import annotations

from functools import cache

BZIMAGE_LOADER = """
tree   too_small not_bzimage protocol offset length gzip bzip2  xz zstd lzma lzo lz4 unknown
4.0.0        340         349      356      -      -  369   380   -    -  391   -   -     399
4.0          371         380      387    401    407  420   431   -    -  442   -   -     450
4.1          624         633      640    654    660  673   683 694    -  705 716   -     724
4.2            -           -      643    657    663  676   686 697    -  708 719   -     727
4.3            -           -      654    668    674  687   697 708    -  719 730   -     738
4.4.0          -           -      654    668    674  687   697 708    -  719 730 741     749
4.4            -           -      654    668    674  687   697 708    -  719 730 741     749
4.5            -           -      674    688    694  707   717 728    -  739 750 761     769
4.6            -           -      677    691    697  710   720 731    -  742 753 764     772
4.7            -           -      677    691    697  710   720 731    -  742 753 764     772
4.8            -           -      679    693    699  712   722 733    -  744 755 766     774
4.9            -           -      679    693    699  712   722 733    -  744 755 766     774
4.10           -           -      679    693    699  712   722 733    -  744 755 766     774
4.11           -           -      679    693    699  712   722 733    -  744 755 766     774
4.12           -           -      679    693    699  712   722 733    -  744 755 766     774
4.13           -           -      679    693    699  712   722 733    -  744 755 766     774
4.14           -           -      679    693    699  712   722 733    -  744 755 766     774
4.15           -           -      763    777    783  796   806 817  828  839 850 861     869
4.16           -           -      707    721    727  740   750 761  772  783 794 805     813
4.17           -           -      707    721    727  740   750 761  772  783 794 805     813
4.18           -           -      706    720    726  739   749 760  771  782 793 804     812
4.19           -           -      706    720    726  739   749 760  771  782 793 804     812
4.20           -           -      706    720    726  739   749 760  771  782 793 804     812
4.21           -           -      706    720    726  739   749 760  771  782 793 804     812
"""
"""Columns: messages of xc_dom_probe_bzimage_kernel(). A line that is not there: the tree has no such message."""

OTHER_FILES = """
tree   inflate no_loader corrupted no_shstrtab dom0 machine flags header load_end bss_end abi
4.0.0      250       517       237         245    -       -   157    169      185     192 108
4.0        250       517       237         245    -       -   157    169      185     192 108
4.1        332       615       339         347    -       -   177    189      205     212 124
4.2        353       637       339         347  362       -   177    189      205     212 125
4.3        353       641       337         345  360       -   177    189      205     212 125
4.4.0      353       643       337         345  360       -   177    189      205     212 119
4.4        353       643       337         345  360       -   177    189      205     212 119
4.5        386       676       337         345  360       -   177    189      205     212 120
4.6        385       675       331         339  354       -   176    188      204     211 119
4.7        385       700       157         165  180       -   176    188      204     211 106
4.8        386       701       157         165  180       -   176    188      204     211 106
4.9        386       701       157         165  180       -   176    188      204     211 106
4.10       386       701       164         172  187       -   176    188      204     211  87
4.11       376       691       163         171  187      89   176    188      204     211  87
4.12       376       691       163         171  187      89   176    188      204     211  87
4.13       376       691       163           -  178      89   176    188      204     211  87
4.14       377       692       163           -  178      89   176    188      204     211  87
4.15       375       690       162           -  177      88   175    187      203     210  86
4.16       375       690       163           -  179      88   175    187      203     210  86
4.17       374       689       163           -  179      88   175    187      203     210  86
4.18       374       689       163           -  179      88   175    187      203     210  86
4.19       374       689       163           -  179      88   175    187      203     210  86
4.20       374       689       163           -  179      88   175    187      203     210  86
4.21       374       689       162           -  178      87   175    187      203     210  87
"""
"""Columns: xc_dom_core.c (two), xc_dom_elfloader.c (four), xc_dom_binloader.c (four) and xc_dom_boot.c."""

DECODER_ERROR = 14
"""xc_dom_decompress_unsafe.c: the same in every tree that has the file."""


@cache
def source_lines(tree: str) -> dict[str, int]:
    """The lines of a tree's messages by name, those that it does not have left out; tree: as Loader.tree."""
    found = {"decoder": DECODER_ERROR}
    for table in (BZIMAGE_LOADER, OTHER_FILES):
        rows = [line.split() for line in table.split("\n") if line]
        numbers = next(row[1:] for row in rows if row[0] == tree)
        found.update((name, int(text)) for name, text in zip(rows[0][1:], numbers, strict=True) if text != "-")
    return found
