"""The site. `sphinx-build -W -E docs build/site` builds it; its first page is index.html there.

Sphinx reads the code that the reference is made from. MyST lets the pages be Markdown, which a code
host shows too. The theme is Furo: it is light or dark as the reader's system is, it fits a
telephone, and its pages ask no other server for anything. Equations are MathML
(extensions/mathml.py), so that they need no script and no network either.
"""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "extensions"), str(HERE.parent)]
os.environ.setdefault("JAX_PLATFORMS", "cpu")  # nothing is computed

project = "Recurrent Zoo"
author = "The Recurrent Zoo authors"
html_title = project

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "docstrings",
    "made",
    "captions",
    "links",
    "mathml",
]

myst_enable_extensions = ["deflist", "dollarmath", "colon_fence"]
myst_heading_anchors = 4
suppress_warnings = ["ref.python"]  # zoo.Checkpoint stands in its module and among the public names
highlight_language = "none"  # of a block that does not name one
smartquotes = False  # a flag begins with two hyphens

autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 88
add_module_names = False

html_theme = "furo"
html_baseurl = os.environ.get("SITE_ADDRESS", "")
html_math_renderer = "mathml"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["site.css"]
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0a5f9e", "color-brand-content": "#0a5f9e"},
    "dark_css_variables": {"color-brand-primary": "#7cbcf0", "color-brand-content": "#7cbcf0"},
}
pygments_style = "default"  # all of its colours can be read on its ground
pygments_dark_style = "native"
