"""The documentation as a site: `sphinx-build -W docs site`. Pages of the reference and of systems are made from the code."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import reference  # docs/reference.py

project, author = 'jssl', 'the jssl authors'
extensions = ['myst_parser', 'sphinx_copybutton', 'mathml']  # the last is docs/mathml.py
html_math_renderer = 'mathml'
myst_enable_extensions = ['colon_fence', 'dollarmath']
myst_heading_anchors = 3
html_theme, html_title = 'furo', 'jssl'
html_static_path = ['_static']
html_css_files = ['site.css']
exclude_patterns = ['_build']
copybutton_exclude = '.linenos, .gp'
suppress_warnings = ['myst.header']  # a page may begin its headings at any level
nitpicky = True


def setup(app):
  app.connect('builder-inited', lambda app: reference.write(Path(app.srcdir)))
  app.connect('source-read', reference.sources)
