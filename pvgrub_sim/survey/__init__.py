"""The survey: an honest modern reader's view of an image. It explains what PV-GRUB does and never decides it.

Partition tables, volumes, filesystems and their files; what is damaged is told. Not here: anything of GRUB's quirks.
"""

from __future__ import annotations

from pvgrub_sim.survey.result import BootFile, Content, ContentKind, FileKind, PartitionTable, Survey, Volume
from pvgrub_sim.survey.surveyor import open_reader, survey, volume_reader

__all__ = [
    "BootFile",
    "Content",
    "ContentKind",
    "FileKind",
    "PartitionTable",
    "Survey",
    "Volume",
    "open_reader",
    "survey",
    "volume_reader",
]
