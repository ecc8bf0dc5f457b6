rule cluster_check:
    """Ask for what a training asks for, and write down what is given: a first look at a new machine."""
    output:
        found="results/cluster_check.txt",
    log:
        "logs/cluster_check.log",
    conda:
        "../../envs/models.yaml"
    threads: 4
    resources:
        gpu=GPUS,
        mem_mb=per_attempt(4000),
        runtime=per_attempt(10),
    params:
        code=code_version("cluster_check.py"),
    script:
        "../scripts/cluster_check.py"
