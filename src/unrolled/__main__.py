"""`python -m unrolled`, which `torchrun -m unrolled` needs as well."""

import sys

from unrolled.cli.main import main

sys.exit(main())
