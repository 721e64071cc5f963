"""What every table of the configuration file is made of."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One table of the configuration file: frozen, and no key that is not described here."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True, revalidate_instances="always"
    )
