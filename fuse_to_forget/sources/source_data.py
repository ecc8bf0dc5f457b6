"""What a source delivers, whatever it was read from."""

from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd


@dataclass(frozen=True)
class SourceData:
    """Prepared frames of the splits that a source provides (maybe only `train`), and what their codes mean.

    A prepared frame has the columns `id`, `text`, `label` (0 or 1), one column of 0 and 1 per protected
    attribute, and `author` where it is known.
    """

    splits: dict[str, pd.DataFrame]
    attributes: dict[str, list[str]]  # attribute -> names of its values 0 and 1
    label_names: list[str]
    description: str
    demographics: Literal["simulated", "recorded"] | None = None  # None without protected attributes

    def metadata(self) -> dict[str, Any]:
        """What the files of the splits say of themselves; `values` names the codes 0 and 1 of every column.

        Without protected attributes there is no `demographics`.
        """
        known = {} if self.demographics is None else {"demographics": self.demographics}
        return {
            "values": {"label": self.label_names, **self.attributes},
            "description": self.description,
            **known,
        }
