rule tabulate_table1:
    """Lay out Table 1: biased, debiased, full and fused models."""
    input:
        scores="results/scores/biases.csv",
    output:
        table="results/table1.csv",
        page=report(
            "results/table1.html",
            caption="../report/table1.rst",
            category="Social biases",
            labels={"result": "Table 1"},
        ),
    log:
        "logs/tabulate_table1.log",
    conda:
        "../../envs/tables.yaml"
    resources:
        mem_mb=more_memory(1000),
        runtime=10,
    params:
        code=code_version("tabulate_table1.py"),
        attributes=ATTRIBUTES,
        select_on=PROTOCOL["select_coefficients_on"],
    script:
        "../scripts/tabulate_table1.py"


rule record_run:
    """Write down versions, machine and configuration, for the report."""
    output:
        run=report(
            "results/run.csv",
            caption="../report/run.rst",
            category="This run",
            labels={"result": "Versions and configuration"},
        ),
    log:
        "logs/record_run.log",
    conda:
        "../../envs/models.yaml"
    resources:
        mem_mb=more_memory(1000),
        runtime=10,
    params:
        code=code_version("record_run.py"),
        config=config,
    script:
        "../scripts/record_run.py"
