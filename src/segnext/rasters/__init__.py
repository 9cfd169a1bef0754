"""Rasters of any size: read in tiles, blended, and written strip by strip in memory that does not grow with them."""
