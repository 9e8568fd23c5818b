"""What every page of a report begins and ends with: one file that loads nothing, and runs no script but its own."""

from __future__ import annotations

_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main{kind}>
"""
_FOOT = """</main>
<footer>
<p>Written by pvgrub-sim, which tells offline what PV-GRUB would do with a disk image.</p>
</footer>
{script}</body>
</html>
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def head(title: str, style: str, *, kind: str = "", script_hash: str = "") -> str:
    """All before the first section.

    title: escaped already. style: CSS. kind: a class of the page, or "". script_hash: of the one script that may run,
    as a content security policy names it, or "".
    """
    policy = f"{_POLICY}; script-src '{script_hash}'" if script_hash else _POLICY
    return _HEAD.format(policy=policy, title=title, style=style, kind=f' class="{kind}"' if kind else "")


def foot(script: str = "") -> str:
    """All behind the last section; script: the one that may run, or ""."""
    return _FOOT.format(script=f"<script>{script}</script>\n" if script else "")
