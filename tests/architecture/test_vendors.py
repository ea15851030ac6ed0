"""Each third-party package has one home, so that its next breaking release meets one folder."""

import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator

from architecture.exemptions import Violation, judge
from architecture.tree import ROOT, Module, imports, modules, shown

# The one table. A home is a name below `penstock`; what lies inside it may import the package too.
HOMES: dict[str, tuple[str, ...]] = {
    "aiohttp": ("server", "models", "toolbox.web", "cli.demo.web"),
    "annotated_types": ("tools",),
    "argon2": ("server.auth", "results"),
    "asyncpg": ("backends.postgres",),
    "click": ("cli",),
    "cryptography": ("server.auth", "results"),
    "docstring_parser": ("tools",),
    "jiter": ("cli.bench.early",),
    "jwt": ("server.auth", "results"),
    "mcp": ("server.mcp", "toolbox.mcp"),
    "opentelemetry": ("telemetry",),
    "orjson": ("_codec",),
    "prometheus_client": ("telemetry",),
    "psycopg": ("backends.postgres",),
    "pydantic": ("tools",),
    "pydantic_core": ("tools",),
    "redis": ("backends.redis",),
    "rich": ("cli",),
    "uvloop": ("engine.loop",),
    "yaml": ("workflow",),
    "zstandard": ("cli.bench.results",),
}

# Baselines of bench rows: in the dev group, because nobody needs them to run anything.
BASELINES = {"jiter", "zstandard"}

# Also none of `import penstock`: what only a part of the users has, or needs long to load.
HEAVY = ("aiohttp", "click", "cryptography", "jiter", "mcp", "opentelemetry", "prometheus_client", "redis",
         "rich", "yaml", "zstandard")  # fmt: skip


def test_a_vendor_is_imported_in_its_home_only() -> None:
    """Every import that is neither ours nor the standard library's is in the table, at home."""
    judge(
        "vendors",
        _strays(),
        says="a third-party package is imported in its home only (the table in test_vendors.py)",
        helps="ask the home for it; a new package needs a row here and a decision in docs/decisions/",
    )


def test_a_vendor_is_declared() -> None:
    """What is imported is a dependency or an extra, not something that another package brings."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    declared = {
        _normal(re.split(r"[^\w.-]", requirement)[0])
        for requirement in [*project["dependencies"], *(line for extra in extras for line in extra)]
    }
    # Both are pydantic's own halves, in the exact versions that it asks for.
    declared |= {"pydantic-core", "annotated-types"}
    declared |= BASELINES
    distributions = importlib.metadata.packages_distributions()
    missing = {
        f"{vendor} ({shown(module.path)})"
        for module, vendor, _line in _vendors()
        if declared.isdisjoint(map(_normal, distributions.get(vendor, [vendor])))
    }
    assert not missing, f"vendors: declare in pyproject.toml, then make lock: {sorted(missing)}"


def _normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _vendors() -> Iterator[tuple[Module, str, int]]:
    found = [(m, i.module.partition(".")[0], i.line) for m in modules() for i in imports(m.tree)]
    ours = {"penstock", *sys.stdlib_module_names}
    strangers = [row for row in found if row[1] not in ours]
    assert strangers, "no third-party import anywhere: the rule would pass without looking"
    yield from strangers


def _strays() -> Iterator[Violation]:
    for module, vendor, line in _vendors():
        if not _at_home(module, vendor):
            yield Violation(shown(module.path), f"line {line} imports {vendor}")


def _at_home(module: Module, vendor: str) -> bool:
    name = ".".join(module.parts)
    return any(name == home or name.startswith(f"{home}.") for home in HOMES.get(vendor, ()))
