import os
import sys
from pathlib import Path

# `python -m` searches the current folder for modules first; names in a run's config must not depend on that.
if sys.path[0] == os.getcwd() != str(Path(__file__).parents[1]) and sys.path[0] not in os.environ.get('PYTHONPATH', '').split(os.pathsep):
  del sys.path[0]

from jssl.cli import main  # noqa: E402

sys.exit(main())
