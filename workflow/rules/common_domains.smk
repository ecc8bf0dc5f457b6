"""What the rules of the domain study ask of the config."""

from fuse_to_forget import domains

DOMAINS = domains.domains_of(config)
DOMAIN_SOURCES = domains.domain_sources(config)
DOMAIN_METHODS = config["domains"]["methods"]
METHOD_SETS["domains"] = DOMAINS.sets()


def domain_study(wildcards):
    """Domains, heads, and the domain of the two parts, as plain values."""
    return {
        "names": list(DOMAINS.names),
        "heads": list(DOMAINS.heads),
        "non_iid": DOMAINS.non_iid,
    }


def domain_files(split, names):
    """A prepared split of some domains."""
    return [f"results/data/domains/{name}/{split}.parquet" for name in names]


def domain_evaluation():
    """What the models of the study are evaluated on, by split: all domains."""
    return {split: domain_files(split, DOMAINS.names) for split in ("dev", "test")}


def prepared_domains():
    """The prepared files of all domains, each under a name of its own."""
    return {
        f"{name}_{split}": f"results/data/domains/{name}/{split}.parquet"
        for name in DOMAINS.names
        for split in ("train", "dev", "test")
    }


def subset_domains(split):
    """Return an input function: a split of the domains that a model's training text is from."""

    def files(wildcards):
        return domain_files(split, DOMAINS.trained()[wildcards.model])

    return files


def drawn_part(wildcards):
    """How a model's training text is drawn from its domain; empty for a model of whole domains."""
    model, non_iid = wildcards.model, config["domains"]["non_iid"]
    if model in domains.PARTS:
        part = domains.PARTS.index(model) + 1
        return {"size": non_iid["size"], "skew": non_iid["skew"], "part": part}
    return {"size": non_iid["size"]} if model == domains.PARTS_FULL else {}


def base_of(study, model, seed):
    """What a training starts from: the study's base model, or that with the head that several models start from."""
    if study == "domains" and DOMAINS.has_same_head(model):
        folder = f"results/models/domains/{domains.HEAD}/seed{seed}"
        return list(checkpoint_files(folder).values())
    return base_files(study)


def training_base(wildcards):
    """What the job's training starts from."""
    return base_of(wildcards.study, wildcards.model, wildcards.seed)


def domain_source_inputs(wildcards):
    """What the sources of all domains are read from, each under the domain and the name in its entry."""
    return {
        f"{domain}__{key}": path
        for domain, source in DOMAIN_SOURCES.items()
        for key, path in source_files(source).items()
    }


def domain_source_contents(wildcards):
    """Digests of the user's files and folders of the sources, by domain."""
    return {
        domain: source_contents(source) for domain, source in DOMAIN_SOURCES.items()
    }


def domain_predictions(kind):
    """Predictions of all sets that are merged, or of all single and full models."""
    names = METHOD_SETS["domains"] if kind == "methods" else MODELS["domains"]
    path = "results/predictions/domains/{kind}/{name}/seed{seed}.parquet"
    return expand(path, kind=kind, name=names, seed=SEEDS)
