import subprocess
import sys

from baryon import figures


def test_importing_the_style_does_not_import_matplotlib():
    code = "import sys, baryon.figures; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_band_lies_between_its_ends():
    with figures.style():
        figure = figures.new(3, 3, "A band")
        axes = figure.subplots()
        figures.band(axes, [0, 1], [1, 2], [3, 5], color=figures.BLUE, label="68 %")
    (drawn,) = axes.collections
    extent = drawn.get_datalim(axes.transData)
    assert (extent.y0, extent.y1) == (1, 5)
    assert figures.caption("name", figure) == "A band"
