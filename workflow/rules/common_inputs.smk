"""What rules read that no rule makes, the user's own files, and what takes their place where it is downloaded."""

import functools
from pathlib import Path

from fuse_to_forget.environment import installed_versions
from fuse_to_forget.files import file_digest
from fuse_to_forget.provenance import ROOT


@functools.cache
def digest(path):
    """Digest of a file or folder of the user."""
    try:
        return file_digest(path)
    except OSError as error:
        raise WorkflowError(f"The config names {path}, which cannot be read: {error}")


def base_files(study):
    """A study's base model: the folder of a download, or files: of a pretrained one, or the user's, wherever results lie."""
    folder, name = checked(studies.base_model_input, study), config[study]["base_model"]
    if folder == f"results/pretrained/{name}":
        return list(checkpoint_files(folder).values())
    if folder != name:
        return folder
    files = sorted(str(file) for file in Path(folder).glob("[!.]*") if file.is_file())
    return local(files or folder)


def base_model_of(study):
    """Return an input function: a study's base model."""

    def files(wildcards):
        return base_files(study)

    return files


def base_model(wildcards):
    """The base model of the job's study."""
    return base_files(wildcards.study)


def source_files(name):
    """What a source is read from, by the names in its entry: a download, or files of the user, wherever results lie.

    A folder of the user is no input, but its content is a param: Snakemake's cache cannot read folders.
    """
    paths = checked(studies.source_files, name)
    if "download" in paths:
        return paths
    return {key: local(path) for key, path in paths.items() if os.path.isfile(path)}


def source_inputs(study):
    """Return an input function: what a study's source is read from."""

    def inputs(wildcards):
        return source_files(config[study]["source"])

    return inputs


def source_contents(name):
    """Digests of the user's files and folders of a source, by name: which is train and which is dev is in no other param."""
    paths = checked(studies.source_files, name)
    return (
        {}
        if "download" in paths
        else {key: digest(path) for key, path in paths.items()}
    )


def contents_of(study):
    """Return a params function: digests of the user's files and folders of a study's source."""

    def contents(wildcards):
        return source_contents(config[study]["source"])

    return contents


def lock_digest(wildcards):
    """Digest of the lock file."""
    return digest(ROOT / "requirements.lock")[:12]


def versions(wildcards):
    """Versions of the packages that results depend on."""
    return installed_versions()
