"""The house as DESIGN draws it: direction of imports, borders of heavy libraries, quick start."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "rca_dist"
LEVELS = {
    "errors": 0, "foreign_names": 0, "config": 1, "yaml_files": 1, "aliases": 1, "config_checks": 2,
    "command_line": 3, "tickets": 2, "tokens": 3, "model": 4, "runtime": 4,
    "training": 5, "evaluation": 5, "compat": 6, "report": 6, "prompting": 6, "estimates": 6, "wiring": 7, "builders": 7, "entry": 7, "purge": 7,
    "session": 8, "data_report": 8, "starting": 8, "train": 9, "cli": 9,
}  # fmt: skip
BORDERS = {"accelerate": {"runtime"}, "deepspeed": {"runtime"}, "wandb": {"runtime/tracking.py"}, "peft": {"model"}}
FILES = sorted(PACKAGE.rglob("*.py"))


def imports_of(path, *, top_level_only=False):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from ([node.module] if node.module != "rca_dist" else [f"rca_dist.{alias.name}" for alias in node.names])


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_the_walk_sees_the_package():
    assert len(FILES) > 40


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path):
    if path == PACKAGE / "__init__.py":
        return
    room = room_of(path)
    assert room in LEVELS, f"{room} has no place in the house"
    for name in imports_of(path):
        if name.startswith("rca_dist.") and (other := name.split(".")[1]) != room and not other.startswith("__"):
            assert LEVELS[other] < LEVELS[room] or {room, other} == {"training", "runtime"}, f"{path.name} imports {name}"
            assert {room, other} != {"training", "evaluation"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_libraries_stay_in_their_room(path):
    inside = str(path.relative_to(PACKAGE))
    for name in imports_of(path):
        for library, homes in BORDERS.items():
            if name.split(".")[0] == library:
                assert any(inside == home or inside.startswith(f"{home}/") for home in homes), f"{inside} imports {library}"


def test_no_file_shadows_a_library():
    # `accelerate launch rca_dist/train.py` puts this folder first on sys.path.
    from importlib import metadata

    taken = set(sys.stdlib_module_names) | set(metadata.packages_distributions())
    ours = {path.stem for path in PACKAGE.glob("*.py")} | {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    assert not {name for name in ours if name in taken and not name.startswith("__")}


def test_no_import_cycles_at_the_top_level():
    graph = {}
    for path in FILES:
        name = ".".join(("rca_dist", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
        graph[name] = {other for other in imports_of(path, top_level_only=True) if other.startswith("rca_dist")}
    state = {}

    def visit(name, trail):
        if state.get(name) == "open":
            raise AssertionError(" -> ".join([*trail, name]))
        if name in state or name not in graph:
            return
        state[name] = "open"
        for other in graph[name]:
            visit(other, [*trail, name])
        state[name] = "done"

    for name in graph:
        visit(name, [])


@pytest.mark.parametrize("code", [
    "import rca_dist",
    "import rca_dist.cli, rca_dist.command_line as c; c.parse(['train.epochs=2']); c.help_text('x')",
    "import rca_dist.wiring",
])  # fmt: skip
def test_start_up_stays_free_of_heavy_libraries(code):
    heavy = ["torch", "transformers", "accelerate", "wandb", "pandas", "sklearn", "matplotlib"]
    check = f"import sys; {code}; print([m for m in {heavy!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_entry_points_are_only_wiring():
    assert all(len((PACKAGE / f"{name}.py").read_text().splitlines()) <= 100 for name in ("train",))


def test_public_names_load_on_first_use():
    import rca_dist

    assert set(rca_dist.__all__) >= {"Trainer", "Evaluator", "HFModelAdapter", "RCADataset", "set_seed"}
    for name in rca_dist.__all__:
        assert getattr(rca_dist, name) is not None
    with pytest.raises(AttributeError, match="nothing_such"):
        rca_dist.nothing_such
