"""What Sentinel images are turned into: one folder per processor, each a plug-in."""
