"""Rasters of any size: read in tiles, blended, and written strip by strip in memory that does not grow with them.

Raises:
    SegNextError: on import, when the libraries for rasters are not installed.
"""

from importlib.util import find_spec

from segnext.errors import SegNextError

for name in ("rasterio", "shapely", "pyogrio"):
    if find_spec(name) is None:
        raise SegNextError(f"rasters and polygons need {name}; install it with pip install 'segnext[raster]'")
