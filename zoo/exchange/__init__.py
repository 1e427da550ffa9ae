"""Models in the forms of other toolkits, read and written."""

# What an ARPA file may be named to be read: SRILM's users say .lm, and Windows likes capitals.
ARPA_SUFFIXES = tuple(
    f"{form}{packed}"
    for form in (".arpa", ".lm", ".ARPA", ".LM")
    for packed in ("", ".gz", ".bz2", ".GZ", ".BZ2")
)
ARPA_WRITTEN_SUFFIXES = (".arpa", ".arpa.gz")
SAFETENSORS_SUFFIX = ".safetensors"
STABLEHLO_SUFFIX = ".stablehlo"
