"""Models in the forms of other toolkits, read and written."""

ARPA_SUFFIXES = (".arpa", ".arpa.gz")
SAFETENSORS_SUFFIX = ".safetensors"
STABLEHLO_SUFFIX = ".stablehlo"
