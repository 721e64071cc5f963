"""Which rule files there are, and what stands in them."""

from pathlib import Path

from abuse_triage.errors import ConfigError
from abuse_triage.model.settings import Settings

TAXONOMY = "taxonomy.yaml"
"""The file beside the rules that names categories and types."""
_MAX_BYTES = 2_000_000
_MAX_FILES = 500


def shipped_rules() -> Path:
    """Return the folder of the rules that come with the program: in the package, or in a checkout beside it."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "rules" / "shipped"
    return installed if installed.is_dir() else package.parent / "rules"


def taxonomy(settings: Settings) -> tuple[str, str]:
    """Return name and text of the taxonomy: that of the first rule folder with a taxonomy.yaml, else the shipped one.

    Raises:
        ConfigError: where it cannot be read.
    """
    folders = [folder for folder in settings.rules.paths if (folder / TAXONOMY).exists()]
    file = (*folders, shipped_rules())[0] / TAXONOMY
    return f"{file.parent.name}/{TAXONOMY}", _read(file)


def rule_files(settings: Settings) -> tuple[dict[str, str], str]:
    """Read all rule files, at most 500 of at most 2 MB each: texts by name, and the text of the taxonomy.

    Folders are read in the order of `rules.paths`, files in the order of their names; a name is the folder's and the
    file's ("rules/20-fraud.yaml"), with the whole path where two are alike.

    Raises:
        ConfigError: with every folder and file that cannot be read.
    """
    texts: dict[str, str] = {}
    problems: list[str] = []
    for folder in settings.rules.paths or (shipped_rules(),):
        paths = sorted(path for path in folder.glob("*.yaml") if path.name != TAXONOMY)
        if not paths or len(paths) > _MAX_FILES:
            found = f"has {len(paths)} rule files (*.yaml); 1 to {_MAX_FILES} are read"
            problems.append(f"{folder}: rules.paths: {found if folder.is_dir() else 'is not a folder'}")
        for path in paths[:_MAX_FILES]:
            name = f"{folder.name}/{path.name}"
            try:
                texts[str(path) if name in texts else name] = _read(path)
            except ConfigError as error:
                problems += error.problems
    try:
        _, taxonomy_text = taxonomy(settings)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(tuple(problems))
    return texts, taxonomy_text


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError((f"{path}: cannot be read: {error.strerror}",)) from error
    if len(content) > _MAX_BYTES:
        raise ConfigError((f"{path}: is larger than 2 MB",))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError((f"{path}: line {line}: is not UTF-8",)) from error
