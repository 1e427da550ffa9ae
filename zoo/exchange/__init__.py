"""Reads and writes models in the forms of other toolkits."""

# The suffixes of ARPA files that can be read: users of SRILM write .lm, and Windows uses capitals.
ARPA_SUFFIXES = tuple(
    f"{form}{packed}"
    for form in (".arpa", ".lm", ".ARPA", ".LM")
    for packed in ("", ".gz", ".bz2", ".GZ", ".BZ2")
)
ARPA_WRITTEN_SUFFIXES = (".arpa", ".arpa.gz")
SAFETENSORS_SUFFIX = ".safetensors"
STABLEHLO_SUFFIX = ".stablehlo"
