rule download:
    """Fetch text or a model, check it and unpack it. The only rule that uses the network."""
    output:
        folder=directory("results/downloads/{download}"),
    log:
        "logs/download/{download}.log",
    cache: CACHE and "omit-software"
    retries: 2
    conda:
        "../../envs/models.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(60),
    params:
        code=code_version("download.py"),
        download=download_settings,
    script:
        "../scripts/download.py"


rule prepare_biases:
    """Bring labelled text with protected attributes into the common schema, in three splits."""
    input:
        unpack(source_inputs("biases")),
    output:
        train="results/data/biases/train.parquet",
        dev="results/data/biases/dev.parquet",
        test="results/data/biases/test.parquet",
    log:
        "logs/prepare_biases.log",
    cache: CACHE
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(60),
    params:
        code=code_version("prepare_biases.py"),
        name=config["biases"]["source"],
        source=config["sources"][config["biases"]["source"]],
        contents=contents_of("biases"),
        splits=config["biases"]["splits"],
    script:
        "../scripts/prepare_biases.py"


rule prepare_shortcuts:
    """Bring labelled sentences into the common schema, in two splits."""
    input:
        unpack(source_inputs("shortcuts")),
    output:
        train="results/data/shortcuts/train.parquet",
        dev="results/data/shortcuts/dev.parquet",
    log:
        "logs/prepare_shortcuts.log",
    cache: CACHE
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(60),
    params:
        code=code_version("prepare_shortcuts.py"),
        name=config["shortcuts"]["source"],
        source=config["sources"][config["shortcuts"]["source"]],
        contents=contents_of("shortcuts"),
        splits=config["shortcuts"]["splits"],
        size=config["shortcuts"]["injection"]["size"],
    script:
        "../scripts/prepare_shortcuts.py"


rule inject_shortcuts:
    """Inject one shortcut, or a mixture of them, into a part of the sentences."""
    input:
        base=base_model_of("shortcuts"),
        train="results/data/shortcuts/train.parquet",
        dev="results/data/shortcuts/dev.parquet",
    output:
        train="results/subsets/shortcuts/{mixture}.parquet",
        dev="results/subsets/shortcuts/{mixture}_dev.parquet",
    log:
        "logs/inject_shortcuts/{mixture}.log",
    cache: CACHE
    conda:
        "../../envs/models.yaml"
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(30),
    params:
        code=code_version("inject_shortcuts.py"),
        name="{mixture}",
        weights=mixture_weights,
        settings=config["shortcuts"]["injection"],
        switches=protocol(
            "synthetic_split", "position_ties", "conflicting_rules", "insert_between"
        ),
    script:
        "../scripts/inject_shortcuts.py"


rule combine_shortcuts:
    """Join the data sets of all single shortcuts: the training set of the full model."""
    input:
        train=expand("results/subsets/shortcuts/{single}.parquet", single=SINGLES),
        dev=expand("results/subsets/shortcuts/{single}_dev.parquet", single=SINGLES),
    output:
        train="results/subsets/shortcuts/full.parquet",
        dev="results/subsets/shortcuts/full_dev.parquet",
    log:
        "logs/combine_shortcuts.log",
    cache: CACHE
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(30),
    params:
        code=code_version("combine_shortcuts.py"),
        singles=SINGLES,
    script:
        "../scripts/combine_shortcuts.py"


rule make_biased_subset:
    """Draw a training set in which the label goes with one protected attribute."""
    input:
        train="results/data/biases/train.parquet",
    output:
        subset="results/subsets/biases/{attribute}.parquet",
    log:
        "logs/make_biased_subset/{attribute}.log",
    cache: CACHE
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(30),
    params:
        code=code_version("make_biased_subset.py"),
        attribute="{attribute}",
        subsets=config["biases"]["subsets"],
    script:
        "../scripts/make_biased_subset.py"


rule combine_subsets:
    """Join the biased subsets, each example once: the training set of the full model."""
    input:
        subsets=expand(
            "results/subsets/biases/{attribute}.parquet", attribute=ATTRIBUTES
        ),
    output:
        subset="results/subsets/biases/full.parquet",
    log:
        "logs/combine_subsets.log",
    cache: CACHE
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(30),
    params:
        code=code_version("combine_subsets.py"),
        attributes=ATTRIBUTES,
        seed=config["biases"]["subsets"]["seed"],
    script:
        "../scripts/combine_subsets.py"


rule prepare_articles:
    """Bring articles into the common schema, in four splits that share none."""
    input:
        unpack(source_inputs("articles")),
    output:
        pretrain="results/data/articles/pretrain.parquet",
        train="results/data/articles/train.parquet",
        dev="results/data/articles/dev.parquet",
        test="results/data/articles/test.parquet",
    log:
        "logs/prepare_articles.log",
    cache: CACHE
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(8000),
        runtime=per_attempt(60),
    params:
        code=code_version("prepare_articles.py"),
        name=config["articles"]["source"],
        source=config["sources"][config["articles"]["source"]],
        contents=contents_of("articles"),
        splits=config["articles"]["splits"],
    script:
        "../scripts/prepare_articles.py"


rule draw_subset:
    """Make token sequences of the articles, and draw one of the disjoint subsets of them."""
    input:
        base=base_model,
        articles=subset_articles,
    output:
        sequences="results/subsets/{study}/{subset}.parquet",
    log:
        "logs/draw_subset/{study}/{subset}.log",
    wildcard_constraints:
        study=one_of(*RUNS),
    cache: CACHE
    conda:
        "../../envs/models.yaml"
    resources:
        mem_mb=per_attempt(8000),
        runtime=per_attempt(60),
    params:
        code=code_version("draw_subset.py"),
        name="{subset}",
        sequences=study_setting("sequences"),
        objective=study_setting("objective"),
        sizes=subset_sizes,
        switches=protocol("document_separator", "subsets_disjoint_by"),
        seed=study_setting("subsets", "seed"),
    script:
        "../scripts/draw_subset.py"
