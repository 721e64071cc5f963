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


def rule_files(settings: Settings) -> tuple[dict[str, str], str]:
    """Read all rule files, at most 500 of at most 2 MB each: texts by name, and the text of the taxonomy.

    Folders are read in the order of `rules.paths`, files in the order of their names; a name is the folder's and the
    file's ("rules/20-fraud.yaml"). The taxonomy is that of the first folder that has one, otherwise the shipped one.

    Raises:
        ConfigError: with every folder and file that cannot be read.
    """
    folders = settings.rules.paths or (shipped_rules(),)
    texts: dict[str, str] = {}
    taxonomies: list[str] = []
    problems: list[str] = []
    for folder in folders:
        paths = sorted(folder.glob("*.yaml"))
        if not paths:
            problems.append(f"{folder}: rules.paths: {'has no *.yaml' if folder.is_dir() else 'is not a folder'}")
        for path in paths:
            name = f"{folder.name}/{path.name}"
            name = str(path) if name in texts else name
            try:
                text = _read(path)
            except ConfigError as error:
                problems += error.problems
                continue
            if path.name == TAXONOMY:
                taxonomies.append(text)
            else:
                texts[name] = text
    if len(texts) > _MAX_FILES:
        problems.append(f"{folders[0]}: rules.paths: {len(texts)} files; at most {_MAX_FILES} are read")
    if problems:
        raise ConfigError(tuple(problems))
    return texts, taxonomies[0] if taxonomies else _read(shipped_rules() / TAXONOMY)


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
