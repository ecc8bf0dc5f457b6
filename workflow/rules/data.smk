rule download:
    """Fetch text or a model, check it and unpack it. The only rule that uses the network."""
    output:
        folder=directory("results/downloads/{download}"),
    log:
        "logs/download/{download}.log",
    cache: "omit-software"
    retries: 2
    conda:
        "../../envs/models.yaml"
    resources:
        mem_mb=more_memory(2000),
        runtime=60,
    params:
        code=code_version("download.py"),
        download=download_settings,
    script:
        "../scripts/download.py"


rule prepare_biases:
    """Bring labelled text with protected attributes into the common schema, in three splits."""
    input:
        unpack(source_inputs),
    output:
        train="results/data/biases/train.parquet",
        dev="results/data/biases/dev.parquet",
        test="results/data/biases/test.parquet",
    log:
        "logs/prepare_biases.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=more_memory(4000),
        runtime=60,
    params:
        code=code_version("prepare_biases.py"),
        name=config["biases"]["source"],
        source=config["sources"][config["biases"]["source"]],
        splits=config["biases"]["splits"],
    script:
        "../scripts/prepare_biases.py"


rule make_biased_subset:
    """Draw a training set in which the label goes with one protected attribute."""
    input:
        train="results/data/biases/train.parquet",
    output:
        subset="results/subsets/biases/{attribute}.parquet",
    log:
        "logs/make_biased_subset/{attribute}.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=more_memory(4000),
        runtime=30,
    params:
        code=code_version("make_biased_subset.py"),
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
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=more_memory(4000),
        runtime=30,
    params:
        code=code_version("combine_subsets.py"),
        seed=config["biases"]["subsets"]["seed"],
    script:
        "../scripts/combine_subsets.py"
