"""What every cell and every kernel must keep, as suites to run over your own: `check_cell`, `check_kernel`.

They need no test framework: a broken clause raises ContractError and names itself.
"""
