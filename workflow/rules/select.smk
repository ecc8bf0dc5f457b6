rule select_coefficients:
    """Choose coefficients of the biased models on dev for the goal of the config, all seeds together."""
    input:
        dev="results/data/biases/dev.parquet",
        test="results/data/biases/test.parquet",
        weights=biased_weights,
        beside=beside(biased_weights),
    output:
        points="results/scores/selection.csv",
        predictions="results/predictions/biases/selection.parquet",
    log:
        "logs/select_coefficients.log",
    benchmark:
        "logs/select_coefficients.tsv"
    conda:
        "../../envs/models.yaml"
    threads: 4
    resources:
        gpu=GPUS,
        mem_mb=per_attempt(12000),
        runtime=per_attempt(240),
    params:
        code=code_version("select_coefficients.py"),
        attributes=ATTRIBUTES,
        seeds=SEEDS,
        selection=config["biases"]["selection"],
        batch_size=config["biases"]["prediction"]["batch_size"],
        max_length=config["biases"]["training"]["max_length"],
    script:
        "../scripts/select_coefficients.py"


rule tabulate_selection:
    """Lay out which coefficients were chosen on dev, and what they are worth on test."""
    input:
        points="results/scores/selection.csv",
        predictions="results/predictions/biases/selection.parquet",
    output:
        table="results/selection.csv",
        page=report(
            "results/selection.html",
            caption="../report/selection.rst",
            category="Social biases",
            labels={"result": "Coefficients chosen for a goal"},
        ),
    log:
        "logs/tabulate_selection.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(4000),
        runtime=per_attempt(30),
    params:
        code=code_version("tabulate_selection.py"),
        attributes=ATTRIBUTES,
        bootstrap=config["bootstrap"],
    script:
        "../scripts/tabulate_selection.py"


rule plot_selection:
    """Draw the trade-off curve: the goal of the selection against what is bounded."""
    input:
        table="results/selection.csv",
    output:
        pdf="results/figure_selection.pdf",
        png=report(
            "results/figure_selection.png",
            caption="../report/figure_selection.rst",
            category="Social biases",
            labels={"result": "Figure: trade-off of coefficients"},
        ),
    log:
        "logs/plot_selection.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        code=code_version("plot_selection.py"),
        level=config["bootstrap"]["level"],
    script:
        "../scripts/plot_selection.py"
