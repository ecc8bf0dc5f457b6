rule score_biases:
    """Score every model of the bias study, with bootstrap intervals, from its predictions."""
    input:
        sweeps=expand(
            f"results/predictions/biases/sweeps/{PAIR}/seed{{seed}}.parquet",
            seed=SEEDS,
        ),
        full=expand(
            "results/predictions/biases/models/full/seed{seed}.parquet", seed=SEEDS
        ),
        erased=expand(
            "results/predictions/biases/erased/{attribute}/seed{seed}.parquet",
            attribute=ATTRIBUTES,
            seed=SEEDS,
        ),
    output:
        scores="results/scores/biases.csv",
    log:
        "logs/score_biases.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=more_memory(4000),
        runtime=30,
    params:
        code=code_version("score_biases.py"),
        attributes=ATTRIBUTES,
        bootstrap=config["bootstrap"],
    script:
        "../scripts/score_biases.py"
