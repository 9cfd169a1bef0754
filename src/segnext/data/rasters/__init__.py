"""Training on rasters: windows of a GeoTIFF, with labels from another one or from polygons burnt on the fly."""
