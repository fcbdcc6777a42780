import os
import sys
from pathlib import Path

# `python -m` looks for modules in the folder that one is in, before all others; what a run's config names must not depend on that.
if sys.path[0] == os.getcwd() != str(Path(__file__).parents[1]) and sys.path[0] not in os.environ.get('PYTHONPATH', '').split(os.pathsep):
  del sys.path[0]

from jssl.cli import main  # noqa: E402

sys.exit(main())
