"""What the rules of an audit of the user's own models ask of the config."""

import dataclasses

from fuse_to_forget import method_grid
from fuse_to_forget.audit import plan
from fuse_to_forget.audit.uses import audited_uses

config["downloads"] |= plan.audit_downloads(config["audit"])
AUDIT = checked(plan.read_audit)  # None if the section is empty
AUDIT_USES, AUDIT_LEFT_OUT = checked(audited_uses, AUDIT)
FUSED_USES = [label for label, use in AUDIT_USES.items() if use["method"] != "ensemble"]


def audit_targets(wildcards):
    """The table, the figure and, if the config says so, every fused model of an audit."""
    if AUDIT is None:
        raise WorkflowError(
            "The config asks for no audit: copy config/audit.example.yaml, say in it what is to be audited, "
            "and give it with --configfile."
        )
    names = ["kept_and_forgotten.csv", "kept_and_forgotten.html"]
    names += ["figure.pdf", "figure.png"]
    written = FUSED_USES if AUDIT.write else []
    return expand("results/audit/{name}", name=names) + expand(
        "results/audit/fused/{use}", use=written
    )


def given_files(folder):
    """A folder that a rule makes, or the files in one of the user's, wherever results lie."""
    if folder.startswith(("results/downloads/", "results/audit/")):
        return [folder]
    files = sorted(str(file) for file in Path(folder).glob("[!.]*") if file.is_file())
    return local(files)


def audited_models(wildcards):
    """The models of an audit, as they are fused."""
    folders = AUDIT.checkpoints().values()
    return [file for folder in folders for file in given_files(folder)]


def audited_model(wildcards):
    """One of them."""
    return given_files(AUDIT.checkpoints()[wildcards.audited])


def adapter(wildcards):
    """What an adapter is made of."""
    return given_files(AUDIT.models[wildcards.audited])


def audit_base(wildcards):
    """The model that they were fine-tuned from, if the config names it."""
    return given_files(AUDIT.base) if AUDIT.base else []


def audit_data(wildcards):
    """The files that an audit measures on."""
    return local(list(dict.fromkeys(own.file for own in AUDIT.data.values())))


def sampled_sets(wildcards):
    """The data that statistics of a model are collected on."""
    return [dataclasses.asdict(own) for own in AUDIT.sampled()[wildcards.audited]]


def sampled_files(wildcards):
    """Their files."""
    return local([own["file"] for own in sampled_sets(wildcards)])


def statistics_for(kind, uses):
    """Statistics of this kind of each model, if one of these uses needs them."""
    needed = kind in method_grid.statistics_of(uses)
    path = "results/audit/statistics/{audited}/{kind}.safetensors"
    return expand(path, audited=AUDIT.models, kind=kind) if needed else []


def audit_statistics(kind):
    """Return an input function: what the methods of an audit need of this kind."""

    def files(wildcards):
        return statistics_for(kind, AUDIT_USES)

    return files


def use_statistics(kind):
    """Return an input function: what one method needs of this kind."""

    def files(wildcards):
        return statistics_for(kind, {wildcards.use: AUDIT_USES[wildcards.use]})

    return files


def fused_use(wildcards):
    """A method and its settings."""
    return AUDIT_USES[wildcards.use]
