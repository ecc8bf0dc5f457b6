"""Which of the config's uses of fusion methods an audit tries, and why it leaves out others."""

from collections.abc import Mapping
from typing import Any

from fuse_to_forget.audit.plan import CLASSIFICATION, Audit
from fuse_to_forget.entries import check_name
from fuse_to_forget.errors import InputError
from fuse_to_forget.fusion.catalog import ENSEMBLE, METHODS
from fuse_to_forget.method_grid import uses_of


def audited_uses(
    config: Mapping[str, Any], audit: Audit | None
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Return the uses that the audit tries, and of those that it does not try the reason; none without an audit.

    Raises InputError for a label that is not among `methods.uses`, and for one that the config names in audit.methods
    though these models cannot be fused so.
    """
    if audit is None:
        return {}, {}
    named = config["audit"].get("methods")
    for label in named or ():
        check_name("method", label, "audit.methods", config["methods"]["uses"])
    uses = uses_of(config, named, 2)
    reasons = {label: _obstacle(use["method"], audit) for label, use in uses.items()}
    left_out = {label: reason for label, reason in reasons.items() if reason}
    for label in [label for label in left_out if named][:1]:
        raise InputError(f"The config names {label!r} in audit.methods, but {left_out[label]}.")
    return {label: use for label, use in uses.items() if label not in left_out}, left_out


def _obstacle(name: str, audit: Audit) -> str:
    """Say what keeps these models from being fused by a method, in half a sentence; nothing if nothing does."""
    if name == ENSEMBLE:
        return ""
    method = METHODS[name]
    if method.needs_texts:
        return "it needs the texts of all models in one place, and an audit hands on statistics"
    if method.pairs_only and len(audit.models) != 2:
        return f"it fuses two models, and there are {len(audit.models)}"
    if method.needs_base and audit.base is None:
        return "it needs the model that these were fine-tuned from, and audit.base names none"
    if method.statistics and not audit.sampled():
        needed = f"it needs {method.statistics} statistics of each model"
        if audit.task == CLASSIFICATION:
            return f"{needed}, and audit.statistics names no data for them"
        return f"{needed}, and not every model is known to know a text, nor does audit.statistics name data"
    return ""
