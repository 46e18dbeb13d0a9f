"""Rasters, grids, coordinate systems and parcels on grids: files on one side, arrays on the other.

`raster` reads and writes, `coverage` and `zonal` reduce rasters to parcels, `home` gives each
parcel its grid, `mgrs` knows the Sentinel-2 tiles, `crs` transforms, `vector` reads parcels.
"""
