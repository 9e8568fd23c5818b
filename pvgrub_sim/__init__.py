"""pvgrub-sim: what PV-GRUB would do with a disk image, told offline.

    from pvgrub_sim import boot
    verdict = boot("disk.img", pvgrub="amazon-1.05")
    assert verdict.boots_default, verdict.console

The names in `__all__` are the public interface (docs/api.md); modules below the package may change.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pvgrub_sim import akis
    from pvgrub_sim.addresses import without_secrets
    from pvgrub_sim.errors import (
        EngineError,
        ImageError,
        ImageFileError,
        IsolationError,
        KernelFormatError,
        PvgrubSimError,
        RepairError,
        UsageError,
    )
    from pvgrub_sim.findings.examine import all_rules
    from pvgrub_sim.findings.pages import explain
    from pvgrub_sim.findings.rule import Rule
    from pvgrub_sim.fleet.coordinator import scan
    from pvgrub_sim.fleet.difference import ScanChange, ScanDifference
    from pvgrub_sim.fleet.engines.choice import dask_engine, local_engine
    from pvgrub_sim.fleet.engines.engine import Engine
    from pvgrub_sim.fleet.reports import FLEET_FORMATS, compare_scans, fleet_report
    from pvgrub_sim.fleet.values import ScanProgress, ScanResult, ScanSettings, ScanState, ScanSummary
    from pvgrub_sim.image import inspect_image, iter_file, list_devices, list_directory, open_image, read_file
    from pvgrub_sim.isolated import boot_isolated
    from pvgrub_sim.kernels import examine_kernel, extract_kernel, repack_kernel
    from pvgrub_sim.keys import Key, parse_keys, read_keys
    from pvgrub_sim.media.access import Access
    from pvgrub_sim.media.disk import Disk, Layer
    from pvgrub_sim.media.formats.beside import referred_files
    from pvgrub_sim.media.sources import shown_source
    from pvgrub_sim.model import (
        BootError,
        DeviceEntry,
        DirectoryEntry,
        Event,
        EventKind,
        Finding,
        FixedDisk,
        FixedImage,
        FixStep,
        IgnoredFinding,
        LayoutPart,
        LoadedFile,
        Outcome,
        Plan,
        PlanStep,
        ProfileInfo,
        Severity,
        Verdict,
    )
    from pvgrub_sim.profiles.loaders import Loader
    from pvgrub_sim.profiles.profile import Profile
    from pvgrub_sim.profiles.versions import PROFILES, find_profile
    from pvgrub_sim.repair.fix import fix
    from pvgrub_sim.report import REPORT_FORMATS, render_fix, render_report
    from pvgrub_sim.report.words import handed_over, headline
    from pvgrub_sim.safetext import one_line, printable
    from pvgrub_sim.session import MachineOptions, Session, interact
    from pvgrub_sim.survey.result import BootFile, Content, ContentKind, FileKind, PartitionTable, Survey, Volume
    from pvgrub_sim.transcript import console_text
    from pvgrub_sim.verdict import boot
    from pvgrub_sim.xen.inspect import KernelElf, KernelFacts, KernelOpinion, KernelPayload
    from pvgrub_sim.xen.memory import LoaderMemory
    from pvgrub_sim.xen.refusal import Cause
    from pvgrub_sim.xl.disks import XlDisk
    from pvgrub_sim.xl.domain import XlDomain, read_xl_config

__version__ = "0.1.0"
"""The version of pvgrub-sim."""

_NAMES = {
    "addresses": "without_secrets",
    "errors": "EngineError ImageError ImageFileError IsolationError KernelFormatError PvgrubSimError RepairError "
    "UsageError",
    "findings.pages": "explain",
    "findings.examine": "all_rules",
    "findings.rule": "Rule",
    "fleet.coordinator": "scan",
    "fleet.difference": "ScanChange ScanDifference",
    "fleet.engines.choice": "dask_engine local_engine",
    "fleet.engines.engine": "Engine",
    "fleet.reports": "FLEET_FORMATS compare_scans fleet_report",
    "fleet.values": "ScanProgress ScanResult ScanSettings ScanState ScanSummary",
    "image": "inspect_image iter_file list_devices list_directory open_image read_file",
    "verdict": "boot",
    "transcript": "console_text",
    "isolated": "boot_isolated",
    "keys": "Key parse_keys read_keys",
    "kernels": "examine_kernel extract_kernel repack_kernel",
    "media.access": "Access",
    "media.disk": "Disk Layer",
    "media.formats.beside": "referred_files",
    "media.sources": "shown_source",
    "model": "BootError DeviceEntry DirectoryEntry Event EventKind Finding FixedDisk FixedImage FixStep IgnoredFinding "
    "LayoutPart LoadedFile Outcome Plan PlanStep ProfileInfo Severity Verdict",
    "profiles.loaders": "Loader",
    "profiles.profile": "Profile",
    "profiles.versions": "PROFILES find_profile",
    "report.words": "handed_over headline",
    "repair.fix": "fix",
    "report": "REPORT_FORMATS render_fix render_report",
    "safetext": "one_line printable",
    "session": "MachineOptions Session interact",
    "survey.result": "BootFile Content ContentKind FileKind PartitionTable Survey Volume",
    "xen.inspect": "KernelElf KernelFacts KernelOpinion KernelPayload",
    "xen.memory": "LoaderMemory",
    "xen.refusal": "Cause",
    "xl.disks": "XlDisk",
    "xl.domain": "XlDomain read_xl_config",
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names.split()}
"""Where each public name lives: it is imported when it is first asked for, so that the command line starts fast."""

__all__ = [
    "FLEET_FORMATS",
    "PROFILES",
    "REPORT_FORMATS",
    "Access",
    "BootError",
    "BootFile",
    "Cause",
    "Content",
    "ContentKind",
    "DeviceEntry",
    "DirectoryEntry",
    "Disk",
    "Engine",
    "EngineError",
    "Event",
    "EventKind",
    "FileKind",
    "Finding",
    "FixStep",
    "FixedDisk",
    "FixedImage",
    "IgnoredFinding",
    "ImageError",
    "ImageFileError",
    "IsolationError",
    "KernelElf",
    "KernelFacts",
    "KernelFormatError",
    "KernelOpinion",
    "KernelPayload",
    "Key",
    "Layer",
    "LayoutPart",
    "LoadedFile",
    "Loader",
    "LoaderMemory",
    "MachineOptions",
    "Outcome",
    "PartitionTable",
    "Plan",
    "PlanStep",
    "Profile",
    "ProfileInfo",
    "PvgrubSimError",
    "RepairError",
    "Rule",
    "ScanChange",
    "ScanDifference",
    "ScanProgress",
    "ScanResult",
    "ScanSettings",
    "ScanState",
    "ScanSummary",
    "Session",
    "Severity",
    "Survey",
    "UsageError",
    "Verdict",
    "Volume",
    "XlDisk",
    "XlDomain",
    "__version__",
    "akis",
    "all_rules",
    "boot",
    "boot_isolated",
    "compare_scans",
    "console_text",
    "dask_engine",
    "examine_kernel",
    "explain",
    "extract_kernel",
    "find_profile",
    "fix",
    "fleet_report",
    "handed_over",
    "headline",
    "inspect_image",
    "interact",
    "iter_file",
    "list_devices",
    "list_directory",
    "local_engine",
    "one_line",
    "open_image",
    "parse_keys",
    "printable",
    "read_file",
    "read_keys",
    "read_xl_config",
    "referred_files",
    "render_fix",
    "render_report",
    "repack_kernel",
    "scan",
    "shown_source",
    "without_secrets",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for."""
    if name == "akis":
        return import_module("pvgrub_sim.akis")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """All public names, imported or not."""
    return sorted({*globals(), *__all__})
